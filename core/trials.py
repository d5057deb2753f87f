"""Trials: dry runs of links that are not saved yet (collection ``link_trials``).

A trial does what a sync would do up to the point of storing: it fetches, redacts, flattens, chunks,
and compares with what is served. A scheduler carries it out, so that a slow CRM or a huge answer
keeps nobody else's page waiting; the draft is kept with its secrets encrypted, and goes after a
day.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import structlog

from core.connectors.interface import Contexts
from core.connectors.registry import connector_of
from core.errors import DeskError, InvalidRequest, NotFound
from core.leases import Leases
from core.links import Links, NewLink
from core.models import Channel, CrmLink, PageLink
from core.policies import Policies
from core.shrinking import is_shrunk
from core.store import Document, insert
from core.text.changes import describe_changes
from core.text.chunk import chunk_of, cut_records
from core.text.erased import ErasedValues
from core.text.flatten import assemble
from core.text.prepare import prepare
from core.text.spool import Spool
from core.vectors.contents import Contents
from core.vectors.embed import Embedder
from core.watch import Watch

KEEP_SECONDS = 24 * 3600.0
# Taken for dead: the scheduler that carried it out was stopped.
STUCK_SECONDS = 900.0
SHOWN_LINES = 200
# So many chunks are embedded to find out how long all would take.
SAMPLE = 8

log = structlog.get_logger()


class Trials:
    """What is to be tried, and trying it."""

    def __init__(
        self,
        contexts: Contexts,
        links: Links,
        leases: Leases,
        contents: Contents,
        policies: Policies,
        embedder: Embedder,
        erased_in: Callable[[str], ErasedValues],
    ) -> None:
        self._contexts = contexts
        self._trials = contexts.database["link_trials"]
        self._links = links
        self._leases = leases
        self._contents = contents
        self._policies = policies
        self._embedder = embedder
        self._erased_in = erased_in

    def request(
        self,
        company_id: str,
        page_id: str,
        channels: Sequence[Channel],
        new: NewLink,
        link_id: str | None,
        username: str,
    ) -> str:
        """Write a trial down; its id. Raises NotFound (page, link), InvalidRequest."""
        self._links.of_page(company_id, page_id)
        stored = self._links.get(company_id, link_id).link if link_id else None
        if not connector_of(new.type).can_be_tried:
            raise InvalidRequest(
                "type",
                f"A link of type {new.type.value} can't be tested: its records come by themselves.",
                action="Save it, and have the CRM send an event.",
            )
        draft = self._links.draft(new, stored)
        trial_id = "trial-" + secrets.token_hex(8)
        insert(
            self._trials,
            {
                "_id": trial_id,
                "company_id": company_id,
                "page_id": page_id,
                "link_id": link_id,
                "channels": [channel.value for channel in channels],
                "draft": draft.to_document(),
                "by": username,
                "state": "queued",
                "at": time.time(),
                "result": None,
                "error": None,
            },
        )
        return trial_id

    def get(self, company_id: str, trial_id: str) -> Document:
        """A trial: its state (queued, running, done, failed), result and error. Raises NotFound."""
        trial = self._trials.find_one({"_id": trial_id, "company_id": company_id})
        if trial is None:
            raise NotFound(f"There is no trial {trial_id}.", action="Test the link again.")
        if trial["state"] in ("queued", "running") and time.time() - trial["at"] > STUCK_SECONDS:
            trial["state"] = "failed"
            trial["error"] = {
                "kind": "interrupted",
                "message": "The test was not carried out.",
                "action": "Is a scheduler running? Test it again.",
            }
        return trial

    def draft(self, trial: Document) -> CrmLink:
        """The link that was tried, secrets encrypted."""
        return CrmLink.from_document(trial["page_id"], trial["draft"])

    def claim(self) -> Document | None:
        """Take the longest waiting trial; None when there is none."""
        waiting = self._trials.find({"state": "queued"}, {"_id": 1}).sort("at", 1).limit(1)
        for trial in list(waiting):
            found = self._trials.find_one_and_update(
                {"_id": trial["_id"], "state": "queued"}, {"$set": {"state": "running"}}
            )
            if found is not None:
                return found
        return None

    def carry_out(self, trial: Document) -> None:
        """Try a claimed trial and write down what came of it. Never raises."""
        watch = Watch(self._contexts.settings.fetch_timeout_seconds)
        try:
            fields: dict[str, Any] = {"state": "done", "result": self._try(trial, watch)}
        except DeskError as error:
            described = {
                "kind": getattr(error, "kind", "error"),
                "message": error.message,
                "action": error.action,
            }
            fields = {"state": "failed", "error": described}
        except Exception:
            log.exception("A trial broke", trial=trial["_id"])
            described = {
                "kind": "error",
                "message": "Something went wrong inside the product.",
                "action": "The scheduler's log has the details.",
            }
            fields = {"state": "failed", "error": described}
        finally:
            watch.close()
        self._trials.update_one({"_id": trial["_id"]}, {"$set": fields})

    def prune(self) -> None:
        """Forget trials of yesterday."""
        self._trials.delete_many({"at": {"$lt": time.time() - KEEP_SECONDS}})

    def _try(self, trial: Document, watch: Watch) -> dict[str, Any]:
        own = self.draft(trial)
        channels = {Channel(channel): True for channel in trial["channels"]}
        link = PageLink(trial["company_id"], trial["page_id"], "", own, channels)
        started = time.monotonic()
        warnings: list[str] = []
        context = self._contexts.of(watch, warnings.append)
        with closing(connector_of(own.type).fetch(own, context)) as fetched:
            assert fetched.answer is not None, "asked without validators"
            # All of it now, so that the CRM's time is told without ours; it is held compressed.
            for _ in fetched.further:
                watch.check()
            seconds = time.monotonic() - started
            policy = self._policies.of(link)
            prepared = prepare(
                fetched.answer,
                own,
                redactor=lambda: self._policies.redactor(policy, watch.check),
                cut=lambda records: cut_records(records, self._embedder.count_tokens),
                erased=self._erased_in(trial["company_id"]),
                further=fetched.further,
                grows=fetched.grows,
                check=watch.check,
            )
        redactions = prepared.redactions
        warnings += prepared.notes
        watch.check()
        served_chunks: set[str] = set()
        difference: dict[str, Any] | None = None
        state = self._leases.states([own.link_id]).get(own.link_id) if trial["link_id"] else None
        if state and state["live_generation"]:
            entries = list(self._contents.read(own.link_id, state["live_generation"]))
            served_chunks = {chunk_id for entry in entries for chunk_id, _ in entry.chunks}
            before = {entry.record.key: entry.record for entry in entries}
            changes = describe_changes(before, (record for record, _ in prepared.records))
            difference = {
                "lines": changes.lines,
                "total": changes.total,
                "served_records": state["records"],
                "would_be_held": is_shrunk(own, prepared, int(state["records"])),
            }
        model = self._embedder.model_name
        chunks = 0
        new: list[str] = []
        for record, texts in prepared.records:
            chunks += len(texts)
            ids = [chunk_of(record, text, own.link_id, model).chunk_id for text in texts]
            new += [
                t for chunk_id, t in zip(ids, texts, strict=True) if chunk_id not in served_chunks
            ]
        return {
            "status": connector_of(own.type).went_well,
            "seconds": round(seconds, 3),
            "bytes": fetched.bytes,
            "pages": fetched.pages,
            "pagination": fetched.pagination,
            "retries": fetched.retries,
            "warnings": warnings[:20],
            "records": prepared.record_count,
            "records_at": prepared.records_at,
            "total_lines": prepared.records.total_lines,
            "lines": _first_lines(prepared.records),
            "chunks": chunks,
            "new_chunks": len(new),
            "tokens": sum(self._embedder.count_tokens(new)),
            "embed_seconds": self._embedding_cost(new),
            "personal": dict(redactions.found),
            "redacted": dict(redactions.done),
            "difference": difference,
            "set_aside": prepared.set_aside,
            "set_aside_lines": prepared.set_aside_lines,
        }

    def _embedding_cost(self, texts: list[str]) -> float:
        """Seconds that embedding ``texts`` would take, from a sample of them."""
        if not texts:
            return 0.0
        sample = texts[:: max(1, len(texts) // SAMPLE)][:SAMPLE]
        started = time.monotonic()
        self._embedder.embed(sample)
        return round((time.monotonic() - started) / len(sample) * len(texts), 2)


def _first_lines(records: Spool) -> list[str]:
    """The first lines of the text that the records make."""
    shown = [record for record, _ in records if record.at and record.at[0][0] < SHOWN_LINES]
    return assemble(shown, records.total_lines)[:SHOWN_LINES]
