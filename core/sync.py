"""One sync run: fetch, flatten, chunk, compare, embed, publish.

Nothing that a reader can see changes before the last step, which is one update in the store. What
a run that died has written is undone by the next one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from core.connectors.http import Watch
from core.connectors.interface import Context, Fetched, Validators
from core.connectors.pauses import HostPauses
from core.connectors.registry import connector_of
from core.errors import EmptyAnswer, Held, LimitExceeded
from core.known_fields import KnownFields
from core.leases import Lease, Leases
from core.models import Chunk, PageLink, Record, RunState, Trigger
from core.policies import Policies
from core.runs import Runs
from core.security.network import AddressGuard
from core.security.secrets import SecretBox
from core.settings import Settings
from core.store import Database
from core.text.changes import Changes
from core.text.chunk import chunk_of, chunk_records
from core.text.erased import ErasedValues
from core.text.flatten import Flattened
from core.text.increment import (
    apply_increment,
    can_take_increments,
    identity_field,
    latest_cursor,
)
from core.text.prepare import Prepared, prepare
from core.text.redact import Policy, in_words
from core.text.schema import Schema, schema_changes
from core.vectors.contents import Contents, Entry
from core.vectors.embed import Embedder
from core.vectors.generation import GenerationWriter

# All of a run but the fetching may take this long.
WORK_SECONDS = 3600.0
# Fewer than this share of the records served, and a person decides.
SHRINK_THRESHOLD = 0.5
# Every point of a run that ``on_step`` hears of, in order. Tests kill processes at each of them.
STEPS = (
    "fetch",
    "flatten",
    "chunk",
    "compare",
    "embed",
    "stored",
    "publish",
    "outdated",
    "listed",
    "publishing",
    "published",
    "cleaned",
)
_CHUNK_BATCH = 200
_PROGRESS_SECONDS = 0.5

OnStep = Callable[[str], None]

log = structlog.get_logger()


@dataclass
class Result:
    """How a run ended, what it counted, and facts about the link that it found out."""

    state: RunState
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    changes: Changes | None = None
    fields: Schema | None = None
    """The fields that the link's records have now; None when that was not looked at."""


class Sync:
    """Carries out runs; one instance serves all the workers of a process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        box: SecretBox,
        guard: AddressGuard,
        pauses: HostPauses,
        leases: Leases,
        runs: Runs,
        contents: Contents,
        writer: GenerationWriter,
        embedder: Embedder,
        policies: Policies,
        erased_in: Callable[[str], ErasedValues],
        known_fields: KnownFields,
    ) -> None:
        self._settings = settings
        self._database = database
        self._box = box
        self._guard = guard
        self._pauses = pauses
        self._leases = leases
        self._runs = runs
        self._contents = contents
        self._writer = writer
        self._embedder = embedder
        self._policies = policies
        self._erased_in = erased_in
        self._known_fields = known_fields

    def run(
        self,
        link: PageLink,
        lease: Lease,
        run_id: str,
        watch: Watch,
        *,
        trigger: Trigger = Trigger.SCHEDULE,
        on_step: OnStep = lambda _: None,
    ) -> Result:
        """Sync ``link`` under ``lease``. ``on_step`` is called at each of ``STEPS``.

        Raises SyncError when it failed and RunStopped when it ended otherwise; what is served
        stays then as it was.
        """

        def step(name: str) -> None:
            watch.check()
            self._runs.step(run_id, name)
            on_step(name)

        self._say(run_id, f"Starting CRM data fetch for page {link.page_id}")
        step("fetch")
        state = lease.state
        policy = self._policies.of(link)
        # What the CRM said of the answer before holds only if it would be treated alike.
        made_of = _made_of(link, policy)
        if state.get("made_of") != made_of:
            state = {**state, "etag": None, "last_modified": None, "cursor": None}
        is_cleaned = bool(state.get("unclean"))
        if is_cleaned:
            self._writer.clean_up(lease, state["live_generation"])
        served = self._served_for_increment(link, state, trigger)
        watch.allow(self._settings.fetch_timeout_seconds)
        fetched = self._fetch(link, state, run_id, watch, increment=served is not None)
        watch.allow(WORK_SECONDS)
        counts = {"bytes": fetched.bytes, "pages": fetched.pages, "retries": fetched.retries}
        facts: dict[str, Any] = {
            "etag": fetched.validators.etag,
            "last_modified": fetched.validators.last_modified,
            "made_of": made_of,
        }
        if is_cleaned:
            facts["unclean"] = False
        if fetched.note:
            self._say(run_id, fetched.note)
        if fetched.answer is None:
            if not fetched.note:
                self._say(run_id, "The CRM says that nothing has changed (304)")
            unchanged = {"records": state["records"], "documents": state["documents"]}
            return Result(RunState.UNCHANGED, counts | unchanged, facts)

        step("flatten")
        options = link.link.fetch
        served_id = (
            identity_field((e.record for e in served), state["records_at"]) if served else None
        )
        prepared = prepare(
            fetched.answer,
            link.link,
            redact=lambda answer: self._policies.apply(policy, answer, watch.check),
            erased=self._erased_in(link.company_id),
            id_field=served_id,
            check=watch.check,
        )
        flattened, redactions = prepared.flattened, prepared.redactions
        fields = self._tell(run_id, lease.link_id, prepared, is_increment=served is not None)
        if options.incremental:
            facts["cursor"] = latest_cursor(
                flattened, options.incremental.field, state.get("cursor") if served else None
            )
        if served is not None:
            come = flattened.record_count
            self._say(run_id, f"{come} records have changed since {state['cursor']}")
            if not come:
                facts["cursor"] = state["cursor"]
                unchanged = {"records": state["records"], "documents": state["documents"]}
                return Result(RunState.UNCHANGED, counts | unchanged, facts, fields=fields)
            flattened = apply_increment((entry.record for entry in served), flattened)
        else:
            facts["full_at"] = time.time()
            self._say(run_id, _found(flattened, fetched))
            if not fetched.is_meant:
                self._guard_shrinking(link, flattened, lease)
        counts |= {"lines": flattened.total_lines, "records": flattened.record_count}
        counts["set_aside"] = prepared.set_aside
        counts["redacted"] = sum(redactions.done.values())
        if redactions.done:
            self._say(run_id, "Redacted before storing: " + in_words(redactions.done))
        text_hash = hashlib.sha256("\n".join(flattened.lines()).encode()).hexdigest()
        same = (state["text_hash"], state["model"]) == (text_hash, self._embedder.model_name)
        if state["live_generation"] and same and not state["writing"]:
            self._say(run_id, "Nothing has changed since the last sync")
            unchanged = {"documents": state["documents"]}
            return Result(RunState.UNCHANGED, counts | unchanged, facts, fields=fields)

        step("chunk")
        chunks = self._chunk(link, flattened.records, state, watch)
        step("compare")
        plan = self._writer.compare(lease, flattened.records, chunks, watch.check)
        step("embed")

        def on_stored(done: int, total: int) -> None:
            on_step("stored")
            self._runs.progress(run_id, done, total)

        reused = self._writer.embed(link, lease, plan, watch.check, on_stored)
        step("publish")
        self._writer.outdate(lease, plan, watch.check)
        on_step("outdated")
        kept_facts = {
            "run_id": run_id,
            "records": flattened.record_count,
            "lines": flattened.total_lines,
            "redacted": dict(redactions.done),
        }
        self._writer.list_contents(lease, plan, watch.check, kept_facts)
        on_step("listed")
        watch.check()
        documents = sum(len(own) for own in plan.chunks)
        published = facts | {
            "text_hash": text_hash,
            "model": self._embedder.model_name,
            "records": flattened.record_count,
            "total_lines": flattened.total_lines,
            "records_at": flattened.records_at,
            "redacted": dict(redactions.done),
            "personal": dict(redactions.found),
            "writing": False,
            "unclean": True,
            "accepted_records": None,
            "documents": documents,
            "published_at": time.time(),
        }
        generation = state["live_generation"] + 1
        on_step("publishing")
        self._leases.publish(lease, generation, published)
        on_step("published")
        self._writer.clean_up(lease, generation)
        on_step("cleaned")
        facts["unclean"] = False
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
        return Result(RunState.SUCCEEDED, counts, facts, plan.changes, fields)

    def _tell(
        self,
        run_id: str,
        link_id: str,
        prepared: Prepared,
        *,
        is_increment: bool,
    ) -> Schema:
        """Write down what was found on the way; the fields that there are now."""
        for note in prepared.notes:
            self._say(run_id, note)
        before = self._known_fields.of(link_id)
        # What an increment lacks is still there in what it does not bring.
        after = {**before, **prepared.schema} if is_increment else prepared.schema
        changes = schema_changes(before, after)
        if changes:
            self._say(run_id, f"{len(changes)} fields have changed: {'; '.join(changes[:5])}")
        if changes or prepared.set_aside:
            self._runs.note_findings(run_id, changes, prepared.set_aside_lines)
        return after

    def _fetch(
        self,
        link: PageLink,
        state: Mapping[str, Any],
        run_id: str,
        watch: Watch,
        *,
        increment: bool,
    ) -> Fetched:
        is_whole = state["live_generation"] and not state["writing"] and not increment
        may_ask = is_whole and state["model"] == self._embedder.model_name
        validators = Validators(state.get("etag"), state.get("last_modified")) if may_ask else None
        options = link.link.fetch.incremental
        extra = {options.param: str(state["cursor"])} if increment and options else {}
        said = time.monotonic()

        def on_page(pages: int, records: int) -> None:
            nonlocal said
            if pages > 1 and time.monotonic() - said > _PROGRESS_SECONDS:
                said = time.monotonic()
                self._runs.progress(run_id, records, 0)

        context = Context(
            settings=self._settings,
            database=self._database,
            box=self._box,
            guard=self._guard,
            pauses=self._pauses,
            watch=watch,
            say=lambda text: self._say(run_id, text, "warning"),
            validators=validators,
            extra=extra,
            on_page=on_page,
        )
        return connector_of(link.link.type).fetch(link.link, context)

    def _served_for_increment(
        self, link: PageLink, state: Mapping[str, Any], trigger: Trigger
    ) -> list[Entry] | None:
        """What is served, if only changes are to be asked for; None when all is."""
        options = link.link.fetch.incremental
        live = state["live_generation"]
        if options is None or trigger is not Trigger.SCHEDULE or not live or state["writing"]:
            return None
        if not state.get("cursor") or state["model"] != self._embedder.model_name:
            return None
        if time.time() - (state.get("full_at") or 0.0) > options.full_every_hours * 3600:
            return None
        entries = list(self._contents.read(link.link.link_id, live, with_raw=True))
        fits = can_take_increments((entry.record for entry in entries), state["records_at"])
        return entries if fits else None

    def _guard_shrinking(self, link: PageLink, flattened: Flattened, lease: Lease) -> None:
        count, served = flattened.record_count, lease.state["records"]
        if count > self._settings.max_records:
            raise LimitExceeded(
                f"The answer has {count:,} records, more than {self._settings.max_records:,}.",
                action="Ask for less at once, or raise MAX_RECORDS.",
            )
        empty = flattened.is_empty
        count = 0 if empty else count
        accepted = lease.state.get("accepted_records")
        if accepted is not None and count >= accepted:
            return
        if not lease.state["live_generation"]:
            if empty:
                raise EmptyAnswer(
                    "The CRM answered, but there is no record in it.",
                    action="Check that the key may read the records, and that there are any.",
                )
            return
        threshold = link.link.shrink_threshold
        threshold = SHRINK_THRESHOLD if threshold is None else threshold
        if (empty and served) or count < served * threshold:
            raise Held(
                f"The CRM answered with {count} records; {served} are served.",
                records=count,
                action="What was synced before is kept. If the CRM is right, approve the run.",
            )

    def _chunk(
        self, link: PageLink, records: Sequence[Record], state: Mapping[str, Any], watch: Watch
    ) -> list[list[Chunk]]:
        """The chunks of each record; of those that read as they are served, as they are."""
        link_id, model = link.link.link_id, self._embedder.model_name
        served: dict[tuple[str, tuple[str, ...]], Entry] = {}
        if state["live_generation"] and state["model"] == model:
            for entry in self._contents.read(link_id, state["live_generation"]):
                served[entry.record.key, entry.record.lines] = entry
        chunks: dict[int, list[Chunk]] = {}
        fresh: list[int] = []
        for number, record in enumerate(records):
            known = served.get((record.key, record.lines))
            if known is None:
                fresh.append(number)
            else:
                chunks[number] = [chunk_of(record, t, link_id, model) for _, t in known.chunks]
        for start in range(0, len(fresh), _CHUNK_BATCH):
            watch.check()
            numbers = fresh[start : start + _CHUNK_BATCH]
            made = chunk_records(
                [records[number] for number in numbers],
                link_id=link_id,
                model=model,
                count_tokens=self._embedder.count_tokens,
            )
            chunks |= dict(zip(numbers, made, strict=True))
        return [chunks[number] for number in range(len(records))]

    def _say(self, run_id: str, text: str, level: str = "info") -> None:
        getattr(log, level)(text, run_id=run_id)
        self._runs.line(run_id, level, text)


def _made_of(link: PageLink, policy: Policy) -> str:
    """Stands for everything of the link and of the policy that an answer's text depends on."""
    own = link.link
    parts: list[Any] = [own.url, own.api_key, dict(own.headers), own.fetch.to_document()]
    parts += [own.type.value, dict(own.options), list(own.transform), dict(own.validation)]
    parts.append(str(policy))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _found(flattened: Flattened, fetched: Fetched) -> str:
    where = f" at {flattened.records_at}" if flattened.records_at else ""
    pages = f" on {fetched.pages} pages ({fetched.pagination})" if fetched.pages > 1 else ""
    return f"Found {flattened.record_count} records{where}{pages}"
