"""Alerts to an outbound webhook (collection ``alerts``).

A link is failing, or works again; a saved question is no longer answered as expected.

Signed as Standard Webhooks has it (https://www.standardwebhooks.com). An alert is written down
before the link is marked, and sent by whichever scheduler comes first, again and again until the
receiver takes it: it may arrive twice, with the same ``webhook-id``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from pymongo.errors import DuplicateKeyError
from standardwebhooks import Webhook

from core.connectors.backoff import raise_for_status
from core.connectors.http import GuardedSession
from core.errors import DeskError
from core.models import PageLink
from core.security.network import AddressGuard
from core.settings import Settings
from core.store import Database, Document, insert
from core.watch import Watch

SEND_SECONDS = 15.0
FIRST_WAIT = 5.0
LONGEST_WAIT = 3600.0
MAX_ATTEMPTS = 30

log = structlog.get_logger()


class Alerts:
    """What is to be told, and telling it."""

    def __init__(self, database: Database, settings: Settings, guard: AddressGuard) -> None:
        self._alerts = database["alerts"]
        self._settings = settings
        self._guard = guard

    def failing(self, link: PageLink, run_id: str, failures: int, error: Mapping[str, Any]) -> None:
        """Note that the link failed ``failures`` times in a row."""
        self._note("link.failing", link, run_id, {"failures": failures, "error": dict(error)})

    def recovered(self, link: PageLink, run_id: str) -> None:
        """Note that the failing link works again."""
        self._note("link.recovered", link, run_id, {})

    def regressed(self, question: Mapping[str, Any]) -> None:
        """Note that a saved question was answered as expected until a sync, and is no more."""
        log.warning(
            "A saved question fails",
            question_id=question["_id"],
            page_id=question["page_id"],
        )
        body = {
            "question_id": question["_id"],
            "page_id": question["page_id"],
            "channel": question["channel"],
            "company_id": question["company_id"],
            "question": question["question"],
            "expected": question["expected"],
        }
        at = int(float(question["last"]["at"]) * 1000)
        self._write("question.regressed", f"{question['_id']}.{at}", body)

    def send_due(self) -> int:
        """Send what is due; how many were taken."""
        if not self._settings.alert_webhook_url:
            return 0
        now = time.time()
        taken = 0
        for alert in list(self._alerts.find({"due_at": {"$lte": now}}).sort("due_at", 1).limit(20)):
            # Whoever moves the due time sends: two schedulers never send at once.
            until = now + 2 * SEND_SECONDS
            mine = self._alerts.find_one_and_update(
                {"_id": alert["_id"], "due_at": alert["due_at"]}, {"$set": {"due_at": until}}
            )
            taken += mine is not None and self._send(alert)
        return taken

    def _note(self, kind: str, link: PageLink, run_id: str, more: Mapping[str, Any]) -> None:
        log.warning(
            "A CRM link is failing" if kind == "link.failing" else "A CRM link works again",
            link_id=link.link.link_id,
            page_id=link.page_id,
        )
        data = {
            "company_id": link.company_id,
            "page_id": link.page_id,
            "link_id": link.link.link_id,
            "link_name": link.link.name,
            "run_id": run_id,
            **more,
        }
        self._write(kind, run_id, data)

    def _write(self, kind: str, name: str, data: Mapping[str, Any]) -> None:
        if not self._settings.alert_webhook_url:
            return
        body = {"type": kind, "timestamp": datetime.now(UTC).isoformat(), "data": data}
        alert = {
            "_id": f"{kind}.{name}",
            "body": json.dumps(body, ensure_ascii=False),
            "due_at": time.time(),
            "attempts": 0,
        }
        try:
            insert(self._alerts, alert)
        except DuplicateKeyError:
            return  # noted by a scheduler that died right after

    def _send(self, alert: Document) -> bool:
        url = str(self._settings.alert_webhook_url)
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "crm-desk",
            "webhook-id": alert["_id"],
            "webhook-timestamp": str(int(now.timestamp())),
        }
        secret = self._settings.alert_webhook_secret
        if secret is not None:
            signer = Webhook(secret.get_secret_value())
            headers["webhook-signature"] = signer.sign(alert["_id"], now, alert["body"])
        watch = Watch(SEND_SECONDS)
        session = GuardedSession(self._guard, watch)
        try:
            answer = session.send(
                "POST", url, headers, body=alert["body"].encode(), max_bytes=64 * 1024
            )
            raise_for_status(answer)
        except DeskError as error:
            self._again(alert, error)
            return False
        finally:
            session.close()
            watch.close()
        self._alerts.delete_many({"_id": alert["_id"]})
        return True

    def _again(self, alert: Document, error: DeskError) -> None:
        attempts = alert["attempts"] + 1
        log.warning("An alert could not be sent", alert=alert["_id"], reason=error.message)
        if attempts >= MAX_ATTEMPTS:
            self._alerts.delete_many({"_id": alert["_id"]})
            return
        wait = min(LONGEST_WAIT, FIRST_WAIT * float(2 ** min(attempts - 1, 12)))
        self._alerts.update_one(
            {"_id": alert["_id"]}, {"$set": {"due_at": time.time() + wait, "attempts": attempts}}
        )
