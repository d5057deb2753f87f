"""One sync run: fetch, flatten and cut, compare, embed, publish.

An answer goes through part by part, and what of it is new is embedded meanwhile: neither its size
nor the time that a CRM takes for its pages adds up.

Nothing that a reader can see changes before the last step, which is one update in the store. What
a run that died has written is undone by the next one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from core.connectors.interface import Fetched
from core.fetching import Fetching, made_of, validators_of
from core.known_fields import KnownFields
from core.leases import Lease, Leases
from core.memory import give_back
from core.models import PageLink, RunState, Trigger
from core.policies import Policies
from core.runs import Runs
from core.settings import Settings
from core.shrinking import check_size
from core.text.changes import Changes
from core.text.erased import ErasedValues
from core.text.increment import identity_field, latest_cursor
from core.text.prepare import Places, Prepared, prepare
from core.text.redact import in_words
from core.text.schema import Schema, schema_changes
from core.vectors.ahead import Ahead
from core.vectors.before import Before
from core.vectors.contents import Contents
from core.vectors.cutter import Cutter
from core.vectors.documents import VectorDocuments
from core.vectors.embed import Embedder
from core.vectors.generation import GIVEN_BACK, GenerationWriter, Plan
from core.watch import TimedParts, Watch

# All of a run but the fetching may take this long.
WORK_SECONDS = 3600.0
# Every point of a run that ``on_step`` hears of, in order. Tests kill processes at each of them.
STEPS = (
    "fetch",
    "flatten",
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
        fetching: Fetching,
        leases: Leases,
        runs: Runs,
        contents: Contents,
        documents: VectorDocuments,
        writer: GenerationWriter,
        embedder: Embedder,
        policies: Policies,
        erased_in: Callable[[str], ErasedValues],
        known_fields: KnownFields,
    ) -> None:
        self._settings = settings
        self._fetching = fetching
        self._leases = leases
        self._runs = runs
        self._contents = contents
        self._documents = documents
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
        recipe = made_of(link, policy)
        if state.get("made_of") != recipe:
            state = {**state, "etag": None, "last_modified": None, "cursor": None}
        is_cleaned = bool(state.get("unclean"))
        if is_cleaned:
            self._writer.clean_up(lease, state["live_generation"])
        id_field = self._fetching.increments_by(link, state, trigger)
        watch.allow(self._settings.fetch_timeout_seconds)
        with contextlib.ExitStack() as closing:
            fetched = self._fetching.fetch(
                link,
                state,
                watch,
                increment=id_field is not None,
                say=lambda text: self._say(run_id, text, "warning"),
                on_records=lambda records: self._runs.progress(run_id, records, 0),
            )
            closing.callback(fetched.close)
            ahead = self._ahead(link)
            closing.callback(ahead.close)
            further = TimedParts(fetched.further, watch, watch.seconds_left(), WORK_SECONDS)
            watch.allow(WORK_SECONDS)
            facts: dict[str, Any] = {"made_of": recipe}
            if is_cleaned:
                facts["unclean"] = False
            if fetched.note:
                self._say(run_id, fetched.note)
            if fetched.answer is None:
                if not fetched.note:
                    self._say(run_id, "The CRM says that nothing has changed (304)")
                return _unchanged(state, _counts(fetched), facts | validators_of(fetched))

            step("flatten")
            # A selector says by itself where the records are.
            is_pinned = id_field is not None and link.link.fetch.records is None
            places = Places(state["come_at"], state["records_at"]) if is_pinned else None
            before = self._before(link, state, watch, is_read=id_field is None)
            prepared = prepare(
                fetched.answer,
                link.link,
                redactor=lambda: self._policies.redactor(policy, watch.check),
                cut=Cutter(self._embedder, before, ahead),
                erased=self._erased_in(link.company_id),
                further=further,
                grows=fetched.grows,
                id_field=id_field,
                places=places,
                check=watch.check,
            )
            fetched.close()
            facts |= validators_of(fetched)
            counts = _counts(fetched)
            redactions = prepared.redactions
            fields = self._tell(run_id, lease.link_id, prepared, is_increment=id_field is not None)
            incremental = link.link.fetch.incremental
            records = prepared.records
            records_at = prepared.records_at if id_field is None else state["records_at"]
            if incremental:
                facts["cursor"] = latest_cursor(
                    (record for record, _ in records),
                    records_at,
                    incremental.field,
                    state.get("cursor") if id_field else None,
                )
            plan: Plan | None = None
            if id_field is not None:
                come = records.count(records_at)
                self._say(run_id, f"{come} records have changed since {state['cursor']}")
                if not come:
                    facts["cursor"] = state["cursor"]
                    return _unchanged(state, counts, facts, fields)
                step("compare")
                plan, totals = self._writer.put_on_top(
                    lease, records, state["records_at"], id_field, watch.check
                )
            else:
                facts["full_at"] = time.time()
                self._say(run_id, _found(prepared, fetched))
                if not fetched.is_meant:
                    check_size(link.link, prepared, lease.state, self._settings.max_records)
                totals = records.totals(records_at)
                if incremental:
                    facts["id_field"] = identity_field(records.keys(), records_at)
                    facts["come_at"] = prepared.come_at
            counts |= {"lines": totals.lines, "records": totals.records}
            counts["set_aside"] = prepared.set_aside
            counts["redacted"] = sum(redactions.done.values())
            if redactions.done:
                self._say(run_id, "Redacted before storing: " + in_words(redactions.done))
            now = (totals.text_hash, self._embedder.model_name)
            same = totals.text_hash and (state["text_hash"], state["model"]) == now
            if state["live_generation"] and same and not state["writing"]:
                self._say(run_id, "Nothing has changed since the last sync")
                return _unchanged(state, counts, facts, fields)

            if plan is None:
                step("compare")
                plan = self._writer.compare(lease, records, before, watch.check)
            records.clear()
            if len(plan.new) >= GIVEN_BACK:
                give_back()
            step("embed")

            def on_stored(done: int, total: int) -> None:
                on_step("stored")
                self._runs.progress(run_id, done, total)

            self._writer.embed(link, lease, plan, ahead, watch.check, on_stored)
        step("publish")
        self._writer.outdate(lease, plan, watch.check)
        on_step("outdated")
        kept_facts = {
            "run_id": run_id,
            "records": totals.records,
            "lines": totals.lines,
            "redacted": dict(redactions.done),
        }
        self._writer.list_contents(lease, plan, watch.check, kept_facts)
        on_step("listed")
        watch.check()
        published = facts | {
            "text_hash": totals.text_hash,
            "model": self._embedder.model_name,
            "records": totals.records,
            "total_lines": totals.lines,
            "records_at": records_at,
            "redacted": dict(redactions.done),
            "personal": dict(redactions.found),
            "writing": False,
            "unclean": True,
            "accepted_records": None,
            "documents": plan.documents,
            "published_at": time.time(),
        }
        generation = state["live_generation"] + 1
        on_step("publishing")
        self._leases.publish(lease, generation, published)
        on_step("published")
        self._writer.clean_up(lease, generation, plan)
        on_step("cleaned")
        facts["unclean"] = False
        self._say(run_id, f"Stored {len(plan.new)} embeddings from CRM data")
        self._say(
            run_id,
            f"{totals.records} records in {plan.documents} documents: {len(plan.new)} new, "
            f"{plan.kept} kept, {len(plan.gone)} removed",
        )
        counts |= {
            "documents": plan.documents,
            "new": len(plan.new),
            "embedded": ahead.embedded,
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

    def _before(
        self, link: PageLink, state: Mapping[str, Any], watch: Watch, *, is_read: bool
    ) -> Before:
        live = state["live_generation"]
        return Before(
            self._contents.read(link.link.link_id, live) if live and is_read else (),
            watch.check,
            is_same_model=state["model"] == self._embedder.model_name,
        )

    def _ahead(self, link: PageLink) -> Ahead:
        model = self._embedder.model_name
        return Ahead(
            self._embedder,
            lambda hashes: self._documents.vectors_of(link.company_id, model, hashes),
        )

    def _say(self, run_id: str, text: str, level: str = "info") -> None:
        getattr(log, level)(text, run_id=run_id)
        self._runs.line(run_id, level, text)


def _found(prepared: Prepared, fetched: Fetched) -> str:
    where = f" at {prepared.records_at}" if prepared.records_at else ""
    pages = f" on {fetched.pages} pages ({fetched.pagination})" if fetched.pages > 1 else ""
    return f"Found {prepared.record_count} records{where}{pages}"


def _counts(fetched: Fetched) -> dict[str, int]:
    return {"bytes": fetched.bytes, "pages": fetched.pages, "retries": fetched.retries}


def _unchanged(
    state: Mapping[str, Any],
    counts: Mapping[str, int],
    facts: dict[str, Any],
    fields: Schema | None = None,
) -> Result:
    served = {"records": state["records"], "documents": state["documents"]}
    return Result(RunState.UNCHANGED, {**counts, **served}, facts, fields=fields)
