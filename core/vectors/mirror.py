"""The local Chroma mirror of the vector documents: one collection per page and channel.

The store is the truth; a collection notes in its metadata which generation of which links it
holds, and is brought up to date by comparing ids, so that any crash, and any number of repetitions,
ends at the same content. A folder that is missing or broken is simply built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from core.batched import batched
from core.leases import Leases
from core.models import Channel, PageLink
from core.vectors.chroma import Chroma
from core.vectors.contents import Contents
from core.vectors.documents import Vector, VectorDocuments, vector_of
from core.vectors.exact import ExactVectors
from core.vectors.held import HeldVectors, Likeness

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

# Chroma lets no other thread run while it takes vectors in (measured: 0.24 s for 500, 0.07 s for
# 100, in a process that also answers requests): small parts, though each costs something.
BATCH = 100
PAGE = 5000

log = structlog.get_logger()


class Mirror:
    """This process's mirror."""

    def __init__(
        self,
        data_dir: Path,
        chroma_url: str | None,
        leases: Leases,
        contents: Contents,
        documents: VectorDocuments,
    ) -> None:
        self._chroma = Chroma(data_dir, chroma_url)
        self._leases = leases
        self._contents = contents
        self._documents = documents
        self._lock = threading.RLock()
        self._exact = ExactVectors()
        # Collections that are too large for that, with what they hold: to count takes 0.1 s there.
        self._large: dict[str, tuple[Hashable, Collection]] = {}
        # What this process has itself brought the collections to: of these it need not look at all.
        self._brought: dict[str, Mapping[str, int]] = {}

    def follow(self, links: list[PageLink]) -> None:
        """Bring the collections of all the given links' pages up to date."""
        pages: dict[tuple[str, str], list[PageLink]] = {}
        for link in links:
            pages.setdefault((link.company_id, link.page_id), []).append(link)
        for (company_id, page_id), own in pages.items():
            for channel in Channel:
                self.search(company_id, page_id, channel, own, None, 0)

    def search(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        links: list[PageLink],
        vector: Vector | None,
        k: int,
        *,
        also: Sequence[str] = (),
    ) -> list[Likeness]:
        """The ``k`` chunks nearest to ``vector`` among the page's links on the channel.

        ``also`` are chunks whose similarity is asked for, near or not. ``links`` are all links of
        the page as they are now; the collection is brought up to date first. Without a vector that
        is all it does.
        """
        states = self._leases.of_links([x for x in links if x.channels.get(channel)])
        wanted = {
            link_id: int(state["live_generation"])
            for link_id, state in states.items()
            if state["live_generation"]
        }
        documents = sum(int(state["documents"]) for state in states.values())
        name = collection_name(company_id, page_id, channel)
        with self._lock:
            if vector is not None and k > 0:
                stamp = frozenset(wanted.items())
                held = self._exact.nearest_held(name, stamp, vector, k, also)
                if held is not None:
                    return held
                known, large = self._large.pop(name, (None, None))
                if large is not None and known == stamp:
                    with contextlib.suppress(Exception):
                        found = _asked_of_the_index(large, vector, k, also)
                        self._large[name] = (stamp, large)
                        return found
            try:
                collection = self._up_to_date(name, wanted, documents)
                return self._query(collection, wanted, vector, k, also)
            except Exception as error:
                if self._chroma.is_a_server:
                    raise
                log.warning("The mirror is built again", reason=f"{type(error).__name__}: {error}")
                self._start_anew()
                return self._query(
                    self._up_to_date(name, wanted, documents), wanted, vector, k, also
                )

    def collection(self, company_id: str, page_id: str, channel: Channel) -> Collection:
        """A page and channel's collection as it is, for looking at it."""
        with self._lock:
            return self._chroma.open().get_collection(collection_name(company_id, page_id, channel))

    def rebuild(self, links: list[PageLink]) -> None:
        """Build all collections of the given links' pages again, from nothing."""
        with self._lock:
            if self._chroma.is_a_server:
                client = self._chroma.open()
                for collection in client.list_collections():
                    client.delete_collection(collection.name)
            else:
                self._start_anew()
        self.follow(links)

    def check(self, links: list[PageLink]) -> list[str]:
        """Where the collections differ from the store, in words; nothing when they agree.

        Ids, texts and vectors are compared as they are, without mending anything first.
        """
        differences: list[str] = []
        pages = {(link.company_id, link.page_id) for link in links}
        with self._lock:
            try:
                client = self._chroma.open()
                present = {collection.name for collection in client.list_collections()}
            except Exception as error:
                return [f"The mirror can't be opened: {type(error).__name__}"]
            for company_id, page_id in sorted(pages):
                for channel in Channel:
                    feeding = [
                        link.link.link_id
                        for link in links
                        if (link.company_id, link.page_id) == (company_id, page_id)
                        and link.channels.get(channel)
                    ]
                    name = collection_name(company_id, page_id, channel)
                    held = client.get_collection(name) if name in present else None
                    found = self._differences(held, feeding)
                    differences += [f"Page {page_id}, {channel.value}: {text}" for text in found]
        return differences

    def _differences(self, collection: Collection | None, link_ids: list[str]) -> list[str]:
        wanted: dict[str, str] = {}
        vectors: dict[str, Vector] = {}
        for link_id, state in self._leases.states(link_ids).items():
            live = int(state["live_generation"])
            entries = self._contents.read(link_id, live) if live else ()
            own = {chunk_id: text for entry in entries for chunk_id, text in entry.chunks}
            wanted |= own
            for document in self._documents.read(link_id):
                if document["_id"] in own:
                    vectors[document["_id"]] = vector_of(document["embedding"])
        held: dict[str, tuple[str, Vector]] = {}
        if collection is not None:
            for found in _pages(collection, include=["documents", "embeddings"]):
                texts, embeddings = found["documents"] or [], found["embeddings"]
                given = [] if embeddings is None else embeddings
                rows = zip(found["ids"], texts, given, strict=True)
                held |= {i: (text, np.asarray(v, dtype=np.float32)) for i, text, v in rows}
        unlike = [
            chunk_id
            for chunk_id in wanted.keys() & held.keys()
            if held[chunk_id][0] != wanted[chunk_id]
            or chunk_id not in vectors
            or not np.allclose(held[chunk_id][1], vectors[chunk_id], atol=1e-5)
        ]
        counted = (
            (len(wanted.keys() - held.keys()), "missing"),
            (len(held.keys() - wanted.keys()), "too many"),
            (len(unlike), "unlike the store's"),
        )
        return [f"{count} documents {what}" for count, what in counted if count]

    def close(self) -> None:
        """Give the folder back, for the next process."""
        with self._lock:
            self._chroma.close()

    def _query(
        self,
        collection: Collection,
        wanted: Mapping[str, int],
        vector: Vector | None,
        k: int,
        also: Sequence[str],
    ) -> list[Likeness]:
        stamp = frozenset(wanted.items())
        if vector is None:
            self._exact.keep_up(collection, stamp)
            return []
        if k < 1 or not collection.count():
            return []
        nearest = self._exact.nearest(collection, stamp, vector, k, also)
        if nearest is not None:
            return nearest
        found = _asked_of_the_index(collection, vector, k, also)
        self._large[collection.name] = (stamp, collection)
        return found

    def _up_to_date(self, name: str, wanted: Mapping[str, int], documents: int) -> Collection:
        collection = self._chroma.collection(name, documents)
        metadata = collection.metadata or {}
        held: dict[str, int] = json.loads(str(metadata.get("links") or "{}"))
        complete = collection.count() == metadata.get("count", 0)
        if held == wanted and complete:
            return collection
        sure = self._brought.pop(name, None) == held and complete
        sure = sure and not self._chroma.is_a_server  # others write there, too
        in_memory = self._exact.take(name, frozenset(held.items()))
        if not complete:
            in_memory = None
        for link_id in held.keys() - wanted.keys():
            collection.delete(where={"link_id": link_id})
            if in_memory is not None:
                in_memory.remove(in_memory.ids_of(link_id))
        for link_id, generation in wanted.items():
            if held.get(link_id) != generation or not complete:
                self._copy(
                    collection,
                    link_id,
                    held.get(link_id) if sure else None,
                    generation,
                    in_memory,
                )
        self._chroma.wipe()
        collection.modify(metadata={"links": json.dumps(wanted), "count": collection.count()})
        if in_memory is not None:
            self._exact.give_back(name, frozenset(wanted.items()), in_memory)
        self._brought[name] = dict(wanted)
        return collection

    def _copy(
        self,
        collection: Collection,
        link_id: str,
        held: int | None,
        generation: int,
        in_memory: HeldVectors | None,
    ) -> None:
        """Make the collection, and its vectors in memory, hold the chunks of the generation.

        ``held`` is the generation that it holds, if that is sure.
        """
        moved = self._contents.moved(link_id, held, generation) if held else None
        gone, come = moved or self._compared(collection, link_id, generation, in_memory)
        if in_memory is not None:
            in_memory.remove(gone)
        for batch in batched(sorted(gone), BATCH):
            collection.delete(ids=batch)
        for batch in batched(sorted(come), BATCH):
            documents = self._documents.read_some(link_id, batch)
            if not documents:
                continue
            ids = [document["_id"] for document in documents]
            vectors = np.stack([vector_of(document["embedding"]) for document in documents])
            collection.upsert(
                ids=ids,
                embeddings=vectors,
                documents=[document["text"] for document in documents],
                metadatas=[{"link_id": link_id} for _ in documents],
            )
            if in_memory is not None:
                in_memory.add([link_id] * len(ids), ids, vectors)

    def _compared(
        self,
        collection: Collection,
        link_id: str,
        generation: int,
        in_memory: HeldVectors | None,
    ) -> tuple[set[str], set[str]]:
        """The chunks of the link that have to go, and those that are missing."""
        entries = self._contents.read(link_id, generation)
        wanted = {chunk_id for entry in entries for chunk_id, _ in entry.chunks}
        if in_memory is not None:
            present = in_memory.ids_of(link_id)
        else:
            listed = _pages(collection, include=[], where={"link_id": link_id})
            present = {chunk_id for found in listed for chunk_id in found["ids"]}
        return present - wanted, wanted - present

    def _start_anew(self) -> None:
        self._brought.clear()
        self._exact.clear()
        self._large.clear()
        self._chroma.start_anew()


def collection_name(company_id: str, page_id: str, channel: Channel) -> str:
    """The collection of a page and channel; any id is made into a name that Chroma takes."""
    digest = hashlib.sha256(f"{company_id}\n{page_id}".encode()).hexdigest()[:32]
    return f"{channel.value}-{digest}"


def _pages(collection: Collection, **asked: Any) -> Iterator[Any]:
    """What a collection holds, part by part: of too many at once Chroma makes a bad statement."""
    start = 0
    while (found := collection.get(limit=PAGE, offset=start, **asked))["ids"]:
        yield found
        start += PAGE


def _asked_of_the_index(
    collection: Collection, vector: Vector, k: int, also: Sequence[str]
) -> list[Likeness]:
    found = collection.query(
        query_embeddings=[vector.tolist()],
        n_results=k,
        include=["distances"],
    )
    distances = (found["distances"] or [[]])[0]
    near = {i: 1.0 - float(far) for i, far in zip(found["ids"][0], distances, strict=True)}
    others = sorted(set(also) - near.keys())
    if others:
        asked = collection.get(ids=others, include=["embeddings"])
        embeddings = asked["embeddings"]
        rows = zip(asked["ids"], [] if embeddings is None else embeddings, strict=True)
        near |= {i: float(np.asarray(one, dtype=np.float32) @ vector) for i, one in rows}
    return [
        Likeness(chunk_id, similarity, similarity)
        for chunk_id, similarity in sorted(near.items(), key=lambda one: -one[1])
    ]
