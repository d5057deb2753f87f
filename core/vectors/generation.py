"""Writing a link's next generation, unseen by readers until it is published."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from core.batched import batched
from core.leases import Lease, Leases
from core.memory import give_back
from core.models import Chunk, PageLink, Record
from core.text.changes import ChangeLog, Changes, record_name
from core.text.chunk import chunk_of, text_hash_of
from core.text.spool import Spool, Totals
from core.vectors.ahead import WINDOW, Ahead
from core.vectors.before import Before
from core.vectors.contents import Contents
from core.vectors.documents import WRITE_BATCH, VectorDocuments
from core.vectors.increment import put_on_top
from core.vectors.part import PART, Entry, Part, entry_of

# So many records are compared with what they were in one go through what is served.
COMPARED = 20_000
# So many batches are offered to be embedded before the first of them is stored.
OFFERED = 2 * WINDOW // WRITE_BATCH
# After so many documents memory is given back.
GIVEN_BACK = 5000

Check = Callable[[], None]


@dataclass(frozen=True)
class Plan:
    """What a run has to write: the parts of the contents, the ids that are new and that go."""

    parts: list[Part]
    made: list[Part]
    """Those of the parts in which there may be something new."""
    new: set[str]
    gone: list[str]
    kept: int
    changes: Changes

    @property
    def documents(self) -> int:
        """How many documents there will be."""
        return sum(part.documents for part in self.parts)


class GenerationWriter:
    """Brings the stored documents from a link's live generation to the next.

    ``check`` is called again and again, and may raise to stop; so may the lease, when it is lost.
    """

    def __init__(
        self, leases: Leases, contents: Contents, documents: VectorDocuments, model: str
    ) -> None:
        self._leases = leases
        self._contents = contents
        self._documents = documents
        self._model = model

    def compare(self, lease: Lease, records: Spool, before: Before, check: Check) -> Plan:
        """What there is to do; undoes what a run that died has written."""
        link_id, live = lease.link_id, lease.state["live_generation"]
        absent = self._undo(lease) if lease.state["writing"] or not live else frozenset()
        parts: list[Part] = []
        made: list[Part] = []
        new: set[str] = set()
        kept = 0
        now = time.time()
        # Of every record: whether its chunks are those that are served. Of those that read anew: in
        # order, their keys.
        held: dict[str, bool] = {}
        altered: dict[str, None] = {}
        for pieces in batched(records, PART):
            check()
            entries: list[Entry] = []
            known = len(new)
            for record, texts in pieces:
                chunks = [chunk_of(record, text, link_id, self._model) for text in texts]
                since = before.same_since(record)
                is_held = since is not None and before.is_same_model
                if live:
                    held[record.key] = is_held
                if live and since is None:
                    altered[record.key] = None
                entries.append(entry_of(record, chunks, now if since is None else since))
                ids = {chunk.chunk_id for chunk in chunks}
                fresh = ids & absent if is_held else ids
                kept += len(ids) - len(fresh)
                new |= fresh
            parts.append(Part.of(entries))
            if len(new) > known:
                made.append(parts[-1])
        gone: list[str] = []
        changes = Changes([], 0)
        if live and (altered or len(held) < len(before) or not before.is_same_model):
            had, changes = self._changes(lease, records, before, held, altered, check)
            # A record that changed may still have chunks that read as they did.
            same = new & had - absent
            kept += len(same)
            new -= same
            gone = sorted(had - same - absent)
        return Plan(parts, made, new, gone, kept, changes)

    def put_on_top(
        self, lease: Lease, increment: Spool, pattern: str, id_field: str, check: Check
    ) -> tuple[Plan, Totals]:
        """What there is to do for an increment; what all records amount to with it on top."""
        link_id, state = lease.link_id, lease.state
        found = put_on_top(
            self._contents.parts(link_id, state["live_generation"]),
            increment,
            pattern,
            id_field,
            text_hash=state["text_hash"],
            link_id=link_id,
            model=self._model,
            now=time.time(),
            check=check,
        )
        documents = sum(part.documents for part in found.parts)
        kept = documents - len(found.new)
        plan = Plan(found.parts, found.made, found.new, found.gone, kept, found.changes)
        return plan, found.totals

    def _undo(self, lease: Lease) -> frozenset[str]:
        """Undo what a run that died has written; the documents that are served, but not there."""
        link_id, live = lease.link_id, lease.state["live_generation"]
        served = {
            chunk_id
            for entry in (self._contents.read(link_id, live) if live else ())
            for chunk_id, _ in entry.chunks
        }
        self._documents.clean(link_id, live, served)
        self._contents.drop_unpublished(link_id, live)
        return frozenset(served - self._documents.present(link_id))

    def _changes(
        self,
        lease: Lease,
        records: Spool,
        before: Before,
        held: Mapping[str, bool],
        altered: Mapping[str, None],
        check: Check,
    ) -> tuple[set[str], Changes]:
        """The chunks of records that are served, but not as they are now; and what is different.

        ``held`` says of each record whether its chunks stay, ``altered`` are those, in order, that
        do not read as they did.
        """
        had: set[str] = set()
        removed: list[str] = []
        changes = ChangeLog()
        following = (record for record, _ in records if record.key in altered)
        # Nearly always one: a window for each time that what is served is gone through.
        for number, window in enumerate(list(batched(altered, COMPARED)) or [[]]):
            wanted = {key for key in window if key in before}
            old: dict[str, Record] = {}
            for entry in self._served(lease, check) if wanted or not number else ():
                key = entry.record.key
                if key in wanted:
                    old[key] = entry.record
                if not number:
                    if not held.get(key):
                        had.update(chunk_id for chunk_id, _ in entry.chunks)
                    if key not in held:
                        removed.append(record_name(entry.record))
            for record in islice(following, len(window)):
                changes.compare(old.get(record.key), record)
        for name in removed:
            changes.removed(name)
        return had, changes.all()

    def _served(self, lease: Lease, check: Check) -> Iterator[Entry]:
        for entry in self._contents.read(lease.link_id, lease.state["live_generation"]):
            check()
            yield entry

    def embed(
        self,
        link: PageLink,
        lease: Lease,
        plan: Plan,
        ahead: Ahead,
        check: Check,
        on_stored: Callable[[int, int], None],
    ) -> None:
        """Store the new chunks with their vectors. ``on_stored`` hears how many of how many."""
        self._leases.note(lease, {"writing": True})
        generation = lease.state["live_generation"] + 1
        batches = batched(_new_chunks(plan), WRITE_BATCH)
        coming: deque[list[Chunk]] = deque()
        done = 0
        while True:
            # More is offered than is written next: the embedder never waits for the store.
            for batch in islice(batches, OFFERED - len(coming)):
                ahead.offer(chunk.text for chunk in batch)
                coming.append(batch)
            if not coming:
                return
            batch = coming.popleft()
            vectors = ahead.vectors([chunk.text_hash for chunk in batch], check)
            self._leases.check(lease)
            self._documents.insert(link, generation, self._model, batch, vectors)
            still_wanted = {chunk.text_hash for others in coming for chunk in others}
            ahead.forget({chunk.text_hash for chunk in batch} - still_wanted)
            done += len(batch)
            if done % GIVEN_BACK < len(batch):
                give_back()
            on_stored(done, len(plan.new))

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

        def still_held() -> None:
            check()
            self._leases.check(lease)

        self._contents.write(lease.link_id, generation, plan.parts, still_held)
        self._contents.announce(lease.link_id, generation, facts)

    def clean_up(self, lease: Lease, live: int, plan: Plan | None = None) -> None:
        """Remove what only generations before ``live`` had: of a run that died, without a plan."""
        self._documents.drop_outdated(lease.link_id, live, plan.gone if plan else None)
        self._contents.prune(lease.link_id, live, thoroughly=plan is None)


def _new_chunks(plan: Plan) -> Iterator[Chunk]:
    for part in plan.made:
        for entry in part.entries():
            for chunk_id, text in entry.chunks:
                if chunk_id in plan.new:
                    record = entry.record
                    yield Chunk(chunk_id, record.key, record.path, text, text_hash_of(text))
