"""Chunks with their vectors in the store (collection ``vector_documents``), by generations.

A document is part of generation ``g`` when ``valid_from <= g < valid_to``. A run writes with
``valid_from = live + 1`` and marks with ``valid_to = live + 1``; both mean nothing to a reader
until ``live_generation`` of the link's state moves on.
"""

from __future__ import annotations

from collections.abc import Collection as Sized
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from bson.binary import Binary, BinaryVectorDtype
from numpy.typing import NDArray

from core.batched import batched
from core.models import Chunk, PageLink
from core.store import Database

# "For ever": the greatest integer that JSON readers of any language hold exactly
FOREVER = 2**53 - 1
# A write waits for the one before it: small batches keep everybody moving.
WRITE_BATCH = 200

_TOLD = {"text": 1, "embedding": 1, "record_key": 1}

Vector = NDArray[np.float32]


class VectorDocuments:
    """The vector documents of all links."""

    def __init__(self, database: Database) -> None:
        self._documents = database["vector_documents"]

    def clean(self, link_id: str, live: int, chunk_ids: Sized[str]) -> None:
        """Undo what a run that died has left: back to exactly the live generation."""
        present = self.present(link_id)
        if not present:
            return
        self._documents.delete_many({"link_id": link_id, "valid_from": {"$gt": live}})
        self._documents.delete_many({"link_id": link_id, "valid_to": {"$lte": live}})
        self._documents.update_many(
            {"link_id": link_id, "valid_to": {"$gt": live, "$lt": FOREVER}},
            {"$set": {"valid_to": FOREVER}},
        )
        for batch in batched(sorted(self.present(link_id) - set(chunk_ids)), WRITE_BATCH):
            self._documents.delete_many({"link_id": link_id, "_id": {"$in": batch}})

    def present(self, link_id: str) -> set[str]:
        """The ids of all stored documents of the link."""
        return {d["_id"] for d in self._documents.find({"link_id": link_id}, {"_id": 1})}

    def vectors_of(
        self, company_id: str, model: str, text_hashes: Sequence[str]
    ) -> dict[str, Vector]:
        """Vectors that some link of the company, on any page, already has for texts; by text hash.

        Of the company alone: a run says how much it embedded, and so would tell of others' texts.
        """
        found_by = {"$in": list(text_hashes)}
        query = {"text_hash": found_by, "company_id": company_id, "model": model}
        found = self._documents.find(query, {"text_hash": 1, "embedding": 1, "_id": 0})
        return {document["text_hash"]: vector_of(document["embedding"]) for document in found}

    def insert(
        self,
        link: PageLink,
        generation: int,
        model: str,
        chunks: Sequence[Chunk],
        vectors: Iterable[Vector],
    ) -> None:
        """Store a batch of new chunks as part of ``generation``."""
        now = datetime.now(UTC)
        channels = [channel.value for channel in link.active_channels]
        self._documents.insert_many(
            [
                {
                    "_id": chunk.chunk_id,
                    "company_id": link.company_id,
                    "page_id": link.page_id,
                    "channels": channels,
                    "source": "crm",
                    "link_id": link.link.link_id,
                    "record_key": chunk.record_key,
                    "path": chunk.path,
                    "text": chunk.text,
                    "text_hash": chunk.text_hash,
                    "embedding": Binary.from_vector(vector, BinaryVectorDtype.FLOAT32),
                    "model": model,
                    "created_at": now,
                    "updated_at": now,
                    "valid_from": generation,
                    "valid_to": FOREVER,
                }
                for chunk, vector in zip(chunks, vectors, strict=True)
            ]
        )

    def outdate(self, link_id: str, generation: int, chunk_ids: Iterable[str]) -> Iterator[int]:
        """Mark chunks as no longer part of ``generation``; yields how many after each batch."""
        done = 0
        for batch in batched(chunk_ids, WRITE_BATCH):
            self._documents.update_many(
                {"link_id": link_id, "_id": {"$in": batch}}, {"$set": {"valid_to": generation}}
            )
            done += len(batch)
            yield done

    def drop_outdated(
        self, link_id: str, live: int, chunk_ids: Iterable[str] | None = None
    ) -> None:
        """Delete what is no longer part of the live generation.

        All of it, unless ``chunk_ids`` says which that can be: looking for it goes through all of
        the link's documents.
        """
        outdated = {"link_id": link_id, "valid_to": {"$lte": live}}
        if chunk_ids is None:
            self._documents.delete_many(outdated)
            return
        for batch in batched(chunk_ids, WRITE_BATCH):
            self._documents.delete_many({**outdated, "_id": {"$in": batch}})

    def set_channels(self, link_id: str, channels: list[str]) -> None:
        """Note which channels answer from the link's documents."""
        self._documents.update_many({"link_id": link_id}, {"$set": {"channels": channels}})

    def drop(self, link_id: str) -> None:
        """Delete all documents of the link."""
        self._documents.delete_many({"link_id": link_id})

    def link_ids(self) -> set[str]:
        """The links that have documents."""
        return set(self._documents.distinct("link_id"))

    def read(self, link_id: str) -> Iterator[Mapping[str, Any]]:
        """The link's documents with ``text`` and ``embedding``; the embedded engine reads all."""
        return iter(self._documents.find({"link_id": link_id}, _TOLD))

    def read_some(self, link_id: str, chunk_ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """The same of those chunks that are stored."""
        return list(self._documents.find({"link_id": link_id, "_id": {"$in": chunk_ids}}, _TOLD))


def vector_of(stored: Any) -> Vector:
    """A stored BSON vector as an array."""
    found = Binary(stored, subtype=9).as_vector(return_numpy=True).data
    return np.asarray(found, dtype=np.float32)
