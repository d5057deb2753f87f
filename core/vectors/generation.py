"""Writing a link's next generation, unseen by readers until it is published."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from core.leases import Lease, Leases
from core.models import Chunk, PageLink, Record
from core.text.changes import Changes, describe_changes
from core.vectors.contents import PART, Contents, entry_of
from core.vectors.documents import WRITE_BATCH, Vector, VectorDocuments
from core.vectors.embed import Embedder, Embedding

Check = Callable[[], None]

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What a run has to write: every chunk of today, the new ones, and the ids that go."""

    records: list[Record]
    chunks: list[list[Chunk]]
    new: list[Chunk]
    gone: list[str]
    kept: int
    updated_at: dict[str, float]
    changes: Changes


@dataclass
class _Batch:
    """Chunks on their way into the store."""

    chunks: Sequence[Chunk]
    texts: dict[str, str]
    known: dict[str, Vector]
    before: _Batch | None
    """The batch that embeds some of this one's texts, too."""
    missing: list[str]
    embedding: Embedding | None

    @property
    def reused(self) -> int:
        """How many of the chunks needed no embedding of their own."""
        return len(self.chunks) - len(self.missing)

    def vectors(self) -> dict[str, Vector]:
        """Wait for the vectors of all the texts, by text hash."""
        if self.embedding is not None:
            self.known |= dict(zip(self.missing, self.embedding.result(), strict=True))
            self.embedding = None
        if self.before is not None:
            shared = self.before.vectors()
            self.known |= {h: shared[h] for h in self.texts if h in shared}
            self.before = None
        return self.known


class GenerationWriter:
    """Brings the stored documents from a link's live generation to the next.

    ``check`` is called again and again, and may raise to stop; so may the lease, when it is lost.
    """

    def __init__(
        self,
        leases: Leases,
        contents: Contents,
        documents: VectorDocuments,
        embedder: Embedder,
    ) -> None:
        self._leases = leases
        self._contents = contents
        self._documents = documents
        self._embedder = embedder

    def compare(
        self, lease: Lease, records: list[Record], chunks: list[list[Chunk]], check: Check
    ) -> Plan:
        """What there is to do; undoes what a run that died has written."""
        link_id, live = lease.link_id, lease.state["live_generation"]
        now = time.time()
        served: set[str] = set()
        before: dict[str, Record] = {}
        updated: dict[str, float] = {}
        for entry in self._contents.read(link_id, live) if live else ():
            check()
            served.update(chunk_id for chunk_id, _ in entry.chunks)
            before[entry.record.key] = entry.record
            updated[entry.record.key] = entry.updated_at
        if lease.state["writing"] or not live:
            self._documents.clean(link_id, live, served)
            self._contents.drop_unpublished(link_id, live)
            served &= self._documents.present(link_id)
        wanted = {chunk.chunk_id: chunk for own in chunks for chunk in own}
        return Plan(
            records,
            chunks,
            new=[chunk for chunk_id, chunk in wanted.items() if chunk_id not in served],
            gone=sorted(served - wanted.keys()),
            kept=len(served & wanted.keys()),
            updated_at={
                record.key: updated[record.key]
                if record.key in before and before[record.key].lines == record.lines
                else now
                for record in records
            },
            changes=describe_changes(before, records) if live else Changes([], 0),
        )

    def embed(
        self,
        link: PageLink,
        lease: Lease,
        plan: Plan,
        check: Check,
        on_stored: Callable[[int, int], None],
    ) -> int:
        """Store the new chunks with their vectors; how many vectors were there already."""
        self._leases.note(lease, {"writing": True})
        generation = lease.state["live_generation"] + 1
        model = self._embedder.model_name
        # Of like length together: a batch is padded to its longest text.
        todo = sorted(plan.new, key=lambda chunk: len(chunk.text))
        reused = done = 0
        last: _Batch | None = None

        def write(batch: _Batch) -> None:
            nonlocal done
            vectors = batch.vectors()
            self._leases.check(lease)
            self._documents.insert(
                link,
                generation,
                model,
                batch.chunks,
                [vectors[chunk.text_hash] for chunk in batch.chunks],
            )
            done += len(batch.chunks)
            on_stored(done, len(todo))

        # A batch is written while the next is embedded: the embedder never waits for the store.
        for chunks in _batches(todo, WRITE_BATCH):
            check()
            batch = self._begin(link.company_id, chunks, last)
            reused += batch.reused
            if last:
                write(last)
            last = batch
        if last:
            check()
            write(last)
        return reused

    def _begin(self, company_id: str, chunks: Sequence[Chunk], before: _Batch | None) -> _Batch:
        """Look up the vectors that are there already, and begin to embed the other texts."""
        texts = {chunk.text_hash: chunk.text for chunk in chunks}
        # The batch before is not stored yet; like texts stand beside each other.
        shared = texts.keys() & before.texts.keys() if before else set()
        unknown = [text_hash for text_hash in texts if text_hash not in shared]
        known = self._documents.vectors_of(company_id, self._embedder.model_name, unknown)
        missing = [text_hash for text_hash in unknown if text_hash not in known]
        embedding = self._embedder.start([texts[h] for h in missing]) if missing else None
        return _Batch(chunks, texts, known, before if shared else None, missing, embedding)

    def outdate(self, lease: Lease, plan: Plan, check: Check) -> None:
        """Mark what is no longer part of the next generation."""
        generation = lease.state["live_generation"] + 1
        for _ in self._documents.outdate(lease.link_id, generation, plan.gone):
            self._leases.check(lease)
            check()

    def list_contents(
        self, lease: Lease, plan: Plan, check: Check, facts: Mapping[str, Any]
    ) -> None:
        """Write the next generation's table of contents; ``facts`` are listed with it."""
        generation = lease.state["live_generation"] + 1
        # Parts of this number may have been left behind by a run that died.
        self._contents.drop_unpublished(lease.link_id, generation - 1)
        entries = [
            entry_of(record, own, plan.updated_at[record.key])
            for record, own in zip(plan.records, plan.chunks, strict=True)
        ]
        for number, part in enumerate(_batches(entries, PART)):
            check()
            self._leases.check(lease)
            self._contents.write(lease.link_id, generation, number, list(part))
        self._contents.announce(lease.link_id, generation, facts)

    def clean_up(self, lease: Lease, live: int) -> None:
        """Remove what only generations before ``live`` had."""
        self._documents.drop_outdated(lease.link_id, live)
        self._contents.prune(lease.link_id, live)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
