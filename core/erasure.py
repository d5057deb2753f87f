"""Erasing a person: everything stored that holds a value, and keeping it out from then on.

An erasure is written down first (collection ``erasures``, the value encrypted), so that no sync
that begins afterwards stores it again. A scheduler then takes each link's lease, so that no sync is
under way, and writes a generation without the person's records; runs, kept changes, trials and
saved questions are cleared of the value too. At the end the store gives back the space, so that
nothing is left in its free pages, and every mirror is built anew.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from core.batched import batched
from core.connectors.file.uploads import Uploads
from core.connectors.webhook.inbox import Inbox
from core.errors import InvalidRequest, LeaseLost, NotFound
from core.leases import Lease, Leases
from core.links import Links
from core.security.secrets import SecretBox
from core.store import Database, Document, insert
from core.store.compact import compact
from core.text.changes import record_name
from core.text.erased import ERASED, ErasedValues, renumbered
from core.vectors.contents import Contents
from core.vectors.documents import VectorDocuments
from core.vectors.part import PART, Entry, Part

MIN_LENGTH = 4

log = structlog.get_logger()


class Erasures:
    """Who is to be erased, and erasing them."""

    def __init__(
        self,
        database: Database,
        data_dir: Any,
        box: SecretBox,
        links: Links,
        leases: Leases,
        contents: Contents,
        documents: VectorDocuments,
        inbox: Inbox,
        uploads: Uploads,
        rebuild_mirrors: Callable[[], object],
    ) -> None:
        self._database = database
        self._data_dir = data_dir
        self._erasures = database["erasures"]
        self._box = box
        self._links = links
        self._leases = leases
        self._contents = contents
        self._documents = documents
        self._inbox = inbox
        self._uploads = uploads
        self._rebuild_mirrors = rebuild_mirrors

    def request(self, company_id: str, value: str, username: str) -> str:
        """Ask for a value to be erased; the erasure's id. Raises InvalidRequest."""
        value = value.strip()
        if len(value) < MIN_LENGTH or len(value) > 200 or not value.isprintable():
            raise InvalidRequest(
                "value",
                f"What is erased has {MIN_LENGTH} to 200 characters: an e-mail address, a phone "
                "number, a customer's id.",
            )
        erasure_id = "erasure-" + secrets.token_hex(8)
        insert(
            self._erasures,
            {
                "_id": erasure_id,
                "company_id": company_id,
                "value": self._box.seal(value),
                "by": username,
                "at": time.time(),
                "state": "queued",
                "report": None,
            },
        )
        return erasure_id

    def values(self, company_id: str) -> ErasedValues:
        """All values that were erased in a company."""
        stored = self._erasures.find({"company_id": company_id}, {"value": 1})
        return ErasedValues([self._box.open(erasure["value"]) for erasure in stored])

    def all(self, company_id: str) -> list[Document]:
        """The company's erasures, newest first, without their values."""
        fields = {"_id": 1, "by": 1, "at": 1, "state": 1, "report": 1, "finished_at": 1}
        found = self._erasures.find({"company_id": company_id}, fields)
        return sorted(found, key=lambda erasure: -float(erasure["at"]))

    def get(self, company_id: str, erasure_id: str) -> Document:
        """One erasure, with its report once it is done. Raises NotFound."""
        for erasure in self.all(company_id):
            if erasure["_id"] == erasure_id:
                return erasure
        raise NotFound(f"There is no erasure {erasure_id}.", action="GET /api/erasures lists them.")

    def work_off(self, holder: str) -> None:
        """Carry out what was asked for; what can't be done now is tried again."""
        for erasure in list(self._erasures.find({"state": {"$in": ["queued", "running"]}})):
            self._carry_out(erasure, holder)

    def _carry_out(self, erasure: Document, holder: str) -> None:
        self._set(erasure, {"state": "running"})
        company_id = erasure["company_id"]
        erased = ErasedValues([self._box.open(erasure["value"])])
        done: dict[str, dict[str, Any]] = dict(erasure.get("links") or {})
        waiting = False
        for link in self._links.of_company(company_id):
            if link.link.link_id in done:
                continue
            lease = self._leases.seize(link.link.link_id, holder)
            if lease is None:
                waiting = True  # a sync is under way: the next round
                continue
            try:
                removed = self._from_link(lease, erased)
            except LeaseLost:
                waiting = True
                continue
            done[link.link.link_id] = removed | {"link_name": link.link.name}
            self._set(erasure, {"links": done})
        if waiting:
            return
        # Written down before the names of the records go, which are the person's too.
        report = erasure.get("counted") or {
            "links": [
                {name: value for name, value in found.items() if name != "names"}
                for found in done.values()
                if found["records"] or found["kept"]
            ],
            **self._from_logs(company_id, erased, done),
        }
        self._set(erasure, {"counted": report, "links": dict.fromkeys(done, None)})
        compact(self._database, self._data_dir)
        self._rebuild_mirrors()
        self._set(erasure, {"state": "done", "report": report, "finished_at": time.time()})
        log.info("A person was erased", erasure=erasure["_id"])

    def _set(self, erasure: Document, fields: dict[str, Any]) -> None:
        self._erasures.update_one({"_id": erasure["_id"]}, {"$set": fields})

    def _from_link(self, lease: Lease, erased: ErasedValues) -> dict[str, Any]:
        """Remove the person's records from all that is kept of a link.

        How many of what, and what the records were called.
        """
        link_id, live = lease.link_id, int(lease.state["live_generation"])
        self._inbox.erase(link_id, erased.are_in)
        kept: list[str] = []
        for generation in [int(one["generation"]) for one in self._contents.kept(link_id, live)]:
            if generation != live:
                kept += self._rewrite(link_id, generation, erased)
        removed: dict[str, Any] = {"records": 0, "chunks": 0, "kept": len(kept)}
        entries = list(self._contents.read(link_id, live, with_raw=True)) if live else []
        if lease.state["writing"]:
            # What a run that died has left may be of the person, too.
            served = {chunk_id for entry in entries for chunk_id, _ in entry.chunks}
            self._documents.clean(link_id, live, served)
            self._contents.drop_unpublished(link_id, live)
        staying, going = _parted(entries, erased)
        if going:
            gone = {i for e in going for i, _ in e.chunks} - {
                i for e in staying for i, _ in e.chunks
            }
            self._publish_without(lease, staying, sorted(gone))
            removed |= {"records": len(going), "chunks": len(gone)}
            kept += [record_name(entry.record) for entry in going]
        else:
            due_at = float(lease.state["due_before"])
            self._leases.finish(lease, due_at)
        return removed | {"names": sorted(set(kept))}

    def _publish_without(self, lease: Lease, staying: list[Entry], gone: list[str]) -> None:
        """Write and publish the next generation, as a sync does, of what is there already."""
        link_id, live = lease.link_id, int(lease.state["live_generation"])
        self._leases.note(lease, {"writing": True})
        for _ in self._documents.outdate(link_id, live + 1, gone):
            self._leases.check(lease)
        self._contents.drop_unpublished(link_id, live)
        records, total = renumbered([entry.record for entry in staying])
        fresh = [
            Entry(record, entry.chunks, entry.updated_at)
            for record, entry in zip(records, staying, strict=True)
        ]
        self._contents.write(link_id, live + 1, _parts_of(fresh), lambda: self._leases.check(lease))
        at = lease.state["records_at"]
        count = sum(record.pattern == at for record in records) if at else len(records)
        facts = {"run_id": None, "records": count, "lines": total, "redacted": {ERASED[1:-1]: 1}}
        self._contents.announce(link_id, live + 1, facts)
        self._leases.publish(
            lease,
            live + 1,
            {
                "records": count,
                "total_lines": total,
                "documents": sum(len(entry.chunks) for entry in fresh),
                "writing": False,
                "unclean": True,
                # What the CRM sends is another text now: it is compared line by line again.
                "text_hash": None,
                "etag": None,
                "last_modified": None,
            },
        )
        self._documents.drop_outdated(link_id, live + 1)
        # The generation before holds the person still: it is not kept.
        self._contents.drop_generation(link_id, live)
        self._contents.prune(link_id, live + 1)
        with contextlib.suppress(LeaseLost):
            self._leases.note(lease, {"unclean": False})
        self._leases.finish(lease, float(lease.state["due_before"]))

    def _rewrite(self, link_id: str, generation: int, erased: ErasedValues) -> list[str]:
        """Take the person out of a kept generation, which nobody searches; the erased names."""
        entries = list(self._contents.read(link_id, generation, with_raw=True))
        staying, going = _parted(entries, erased)
        if not going:
            return []
        records, _ = renumbered([entry.record for entry in staying])
        fresh = [
            Entry(record, entry.chunks, entry.updated_at)
            for record, entry in zip(records, staying, strict=True)
        ]
        self._contents.rewrite(link_id, generation, _parts_of(fresh))
        return [record_name(entry.record) for entry in going]

    def _from_logs(
        self, company_id: str, erased: ErasedValues, links: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, int]:
        """Take the person out of runs, changes, questions, replies, audit…; how many of each.

        A kept change may tell the person's name without the value, and so may an answer that came
        from one of the records: both go by what the record was called, and by its link.
        """

        def without_records(change: Document) -> Document:
            names = tuple(links[change["link_id"]]["names"])
            lines = [line for line in change["changes"] if not _is_about(line, names)]
            return {**change, "changes": lines}

        def unanswered(question: Document) -> Document:
            hits = (question["last"] or {}).get("hits", ())
            if not any(links.get(hit["link_id"], {}).get("names") for hit in hits):
                return question
            return {**question, "last": None, "changes": []}

        told: set[str] = set()

        def unsaid(reply: Document) -> Document:
            if not any(links.get(one["link_id"], {}).get("names") for one in reply["context"]):
                return reply
            told.add(reply["_id"])
            emptied = {"reply": "(erased)", "citations": [], "context": []}
            return {**reply, **emptied, "message": "(erased)"}

        def unanswered_message(message: Document) -> Document:
            if message["reply_id"] not in told:
                return message
            return {**message, "text": "(erased)", "reply": "(erased)"}

        def untied(conversation: Document) -> Document:
            customer = conversation["customer"]
            if customer and _masked(customer, erased) != customer:
                return {**conversation, "customer": None}
            return conversation

        counts = {}
        for name, collection, query, clear in (
            ("runs", "sync_runs", {"company_id": company_id}, lambda run: run),
            ("changes", "run_changes", {"link_id": {"$in": list(links)}}, without_records),
            ("questions", "saved_questions", {"company_id": company_id}, unanswered),
            ("replies", "replies", {"company_id": company_id}, unsaid),
            ("messages", "bot_messages", {"company_id": company_id}, unanswered_message),
            ("conversations", "conversations", {"company_id": company_id}, untied),
            # Who did what, and when, stays: what was entered then is masked.
            ("audit", "audit_log", {"company_id": company_id}, lambda entry: entry),
        ):
            counts[name] = 0
            documents = self._database[collection]
            for document in list(documents.find(query)):
                cleared = _masked(clear(document), erased)
                if cleared != document:
                    documents.replace_one({"_id": document["_id"]}, cleared)
                    counts[name] += 1
        self._database["link_trials"].delete_many({"company_id": company_id})
        counts["uploads"] = self._uploads.erase(company_id, erased.are_in)
        return counts


def _is_about(line: str, names: tuple[str, ...]) -> bool:
    """Whether a kept change is one of a record that is called so."""
    return any(line.startswith(name) and line[len(name) : len(name) + 1] in ":.[" for name in names)


def _parted(entries: list[Entry], erased: ErasedValues) -> tuple[list[Entry], list[Entry]]:
    """The records that stay, and those that go.

    An envelope with the person in it goes as a whole; it comes back, masked, with the next sync.
    """
    going = [entry for entry in entries if erased.concern(entry.record)]
    gone = {id(entry) for entry in going}
    return [entry for entry in entries if id(entry) not in gone], going


def _parts_of(entries: list[Entry]) -> list[Part]:
    return [Part.of(batch) for batch in batched(entries, PART)]


def _masked(value: Any, erased: ErasedValues) -> Any:
    if isinstance(value, str):
        return erased.masked(value)
    if isinstance(value, dict):
        return {key: _masked(member, erased) for key, member in value.items()}
    if isinstance(value, list):
        return [_masked(element, erased) for element in value]
    return value
