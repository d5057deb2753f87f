"""One sync run: fetch, flatten, chunk, compare, embed, publish.

Nothing that a reader can see changes before the last step, which is one update in the store. What
a run that died has written is undone by the next one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from core.connectors.api import fetch
from core.connectors.http import Watch
from core.errors import EmptyAnswer, Held, LimitExceeded
from core.leases import Lease, Leases
from core.models import Chunk, PageLink, Record, RunState
from core.runs import Runs
from core.security.network import AddressGuard
from core.security.secrets import SecretBox
from core.settings import Settings
from core.text.chunk import chunk_records
from core.text.decode import decode
from core.text.flatten import Flattened, flatten
from core.vectors.contents import PART, Contents, entry_of
from core.vectors.documents import WRITE_BATCH, VectorDocuments
from core.vectors.embed import Embedder

# Fetching may take this long, and all the rest of a run that much.
FETCH_SECONDS = 300.0
WORK_SECONDS = 3600.0
# Fewer than this share of the records served, and a person decides.
SHRINK_SHARE = 0.5

OnStep = Callable[[str], None]

T = TypeVar("T")

log = structlog.get_logger()


@dataclass
class Result:
    """How a run ended, and what it counted."""

    state: RunState
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plan:
    """What a run has to write: every chunk of today, the new ones, and the ids that go."""

    records: list[Record]
    chunks: list[list[Chunk]]
    new: list[Chunk]
    gone: list[str]
    kept: int
    updated_at: dict[str, float]


class Sync:
    """Carries out runs; one instance serves all the workers of a process."""

    def __init__(
        self,
        settings: Settings,
        box: SecretBox,
        guard: AddressGuard,
        leases: Leases,
        runs: Runs,
        contents: Contents,
        documents: VectorDocuments,
        embedder: Embedder,
    ) -> None:
        self._settings = settings
        self._box = box
        self._guard = guard
        self._leases = leases
        self._runs = runs
        self._contents = contents
        self._documents = documents
        self._embedder = embedder

    def run(
        self,
        link: PageLink,
        lease: Lease,
        run_id: str,
        watch: Watch,
        on_step: OnStep = lambda _: None,
    ) -> Result:
        """Sync ``link`` under ``lease``. ``on_step`` is called as each step begins.

        Raises SyncError when it failed and RunStopped when it ended otherwise; what is served
        stays then as it was.
        """

        def step(name: str) -> None:
            watch.check()
            self._runs.step(run_id, name)
            on_step(name)

        self._say(run_id, f"Starting CRM data fetch for page {link.page_id}")
        step("fetch")
        watch.allow(FETCH_SECONDS)
        answer = fetch(
            link.link,
            box=self._box,
            guard=self._guard,
            watch=watch,
            max_bytes=self._settings.max_bytes,
            say=lambda text: self._say(run_id, text, "warning"),
        )
        watch.allow(WORK_SECONDS)

        step("flatten")
        flattened = flatten(decode(answer.body, answer.content_type))
        counts = {
            "bytes": len(answer.body),
            "lines": flattened.total_lines,
            "records": flattened.record_count,
        }
        self._guard_shrinking(flattened, lease)
        text_hash = hashlib.sha256("\n".join(flattened.lines()).encode()).hexdigest()
        facts = {
            "text_hash": text_hash,
            "model": self._embedder.model_name,
            "records": flattened.record_count,
            "total_lines": flattened.total_lines,
            "records_at": flattened.records_at,
            "writing": False,
            "accepted_records": None,
        }
        state = lease.state
        same = (state["text_hash"], state["model"]) == (text_hash, self._embedder.model_name)
        if state["live_generation"] and same and not state["writing"]:
            self._say(run_id, "Nothing has changed since the last sync")
            return Result(RunState.UNCHANGED, {**counts, "documents": state["documents"]})

        step("chunk")
        chunks = chunk_records(
            flattened.records,
            link_id=link.link.link_id,
            model=self._embedder.model_name,
            count_tokens=self._embedder.count_tokens,
        )
        step("compare")
        plan = self._compare(lease, flattened.records, chunks)
        generation = state["live_generation"] + 1
        step("embed")
        self._leases.note(lease, {"writing": True})
        reused = self._embed(link, lease, run_id, generation, plan, watch)
        step("publish")
        for _ in self._documents.outdate(link.link.link_id, generation, plan.gone):
            self._leases.check(lease)
            watch.check()
        self._write_contents(lease, generation, plan)
        documents = sum(len(own) for own in plan.chunks)
        now = time.time()
        facts |= {"documents": documents, "published_at": now}
        on_step("published?")
        self._leases.publish(lease, generation, facts)
        on_step("published")
        self._documents.drop_outdated(link.link.link_id, generation)
        self._contents.drop_others(link.link.link_id, generation)
        self._say(run_id, f"Stored {len(plan.new)} embeddings from CRM data")
        self._say(
            run_id,
            f"{flattened.record_count} records in {documents} documents: {len(plan.new)} new, "
            f"{plan.kept} kept, {len(plan.gone)} removed",
        )
        counts |= {
            "documents": documents,
            "new": len(plan.new),
            "embedded": len(plan.new) - reused,
            "kept": plan.kept,
            "removed": len(plan.gone),
        }
        return Result(RunState.SUCCEEDED, counts)

    def _guard_shrinking(self, flattened: Flattened, lease: Lease) -> None:
        count, served = flattened.record_count, lease.state["records"]
        if count > self._settings.max_records:
            raise LimitExceeded(
                f"The answer has {count:,} records, more than {self._settings.max_records:,}.",
                action="Ask for less at once, or raise MAX_RECORDS.",
            )
        accepted = lease.state.get("accepted_records")
        if accepted is not None and count >= accepted:
            return
        empty = flattened.is_empty
        if not lease.state["live_generation"]:
            if empty:
                raise EmptyAnswer(
                    "The CRM answered, but there is no record in it.",
                    action="Check that the key may read the records, and that there are any.",
                )
            return
        if empty or count < served * SHRINK_SHARE:
            raise Held(
                f"The CRM answered with {0 if empty else count} records; {served} are served.",
                action="What was synced before is kept. If the CRM is right, approve the run.",
            )

    def _compare(self, lease: Lease, records: list[Record], chunks: list[list[Chunk]]) -> _Plan:
        link_id, live = lease.link_id, lease.state["live_generation"]
        now = time.time()
        served: set[str] = set()
        texts: dict[str, tuple[tuple[str, ...], float]] = {}
        for entry in self._contents.read(link_id, live) if live else ():
            served.update(chunk_id for chunk_id, _ in entry.chunks)
            texts[entry.record.key] = (entry.record.lines, entry.updated_at)
        if lease.state["writing"] or not live:
            self._documents.clean(link_id, live, served)
            self._contents.drop_others(link_id, live)
            served &= self._documents.present(link_id)
        wanted = {chunk.chunk_id: chunk for own in chunks for chunk in own}
        updated_at = {
            record.key: texts[record.key][1]
            if texts.get(record.key, ((), 0.0))[0] == record.lines
            else now
            for record in records
        }
        return _Plan(
            records,
            chunks,
            new=[chunk for chunk_id, chunk in wanted.items() if chunk_id not in served],
            gone=sorted(served - wanted.keys()),
            kept=len(served & wanted.keys()),
            updated_at=updated_at,
        )

    def _embed(
        self,
        link: PageLink,
        lease: Lease,
        run_id: str,
        generation: int,
        plan: _Plan,
        watch: Watch,
    ) -> int:
        """Store the new chunks with their vectors; how many vectors were there already."""
        known = {}
        if plan.gone and plan.new and lease.state["model"] == self._embedder.model_name:
            hashes = {chunk.text_hash for chunk in plan.new}
            known = self._documents.vectors_of(lease.link_id, hashes)
        # Of like length together: a batch is padded to its longest text.
        todo = sorted(plan.new, key=lambda chunk: len(chunk.text))
        reused = done = 0
        for batch in _batches(todo, WRITE_BATCH):
            missing = [chunk for chunk in batch if chunk.text_hash not in known]
            vectors = dict(known)
            for part in _batches(missing, 32):
                watch.check()
                texts = [chunk.text for chunk in part]
                embedded = self._embedder.embed(texts)
                vectors |= {c.text_hash: v for c, v in zip(part, embedded, strict=True)}
            reused += len(batch) - len(missing)
            self._leases.check(lease)
            self._documents.insert(
                link,
                generation,
                self._embedder.model_name,
                batch,
                [vectors[chunk.text_hash] for chunk in batch],
            )
            done += len(batch)
            self._runs.progress(run_id, done, len(todo))
        return reused

    def _write_contents(self, lease: Lease, generation: int, plan: _Plan) -> None:
        # Parts of this number may have been left behind by a run that died.
        self._contents.drop_others(lease.link_id, generation - 1)
        entries = [
            entry_of(record, own, plan.updated_at[record.key])
            for record, own in zip(plan.records, plan.chunks, strict=True)
        ]
        for number, part in enumerate(_batches(entries, PART)):
            self._leases.check(lease)
            self._contents.write(lease.link_id, generation, number, list(part))

    def _say(self, run_id: str, text: str, level: str = "info") -> None:
        getattr(log, level)(text, run_id=run_id)
        self._runs.line(run_id, level, text)


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
