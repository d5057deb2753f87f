"""How a link stands, in one word, and what its problem means to people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.models import PageLink
from core.settings import Settings

# A link that missed this many of its syncs is called stale.
STALE_AFTER_INTERVALS = 3

STATUSES = ("held", "failing", "retrying", "stale", "waiting", "syncing", "serving", "off")
"""Every status, what needs a person first."""


@dataclass(frozen=True)
class Diagnosis:
    """What a kind of failure means: in plain words, and who can put it right."""

    cause: str
    who: str


_OPERATOR = "Whoever edits the link here"
_CRM_ADMIN = "Whoever administers the CRM"
_CRM_OPS = "Whoever runs the CRM; nothing to do here"
_OPS = "Whoever runs this desk"

DIAGNOSES: Mapping[str, Diagnosis] = {
    "unauthorized": Diagnosis("The CRM does not accept the key", _OPERATOR),
    "forbidden": Diagnosis("The key may not read these records", _CRM_ADMIN),
    "not_found": Diagnosis("There is nothing at the link's address", _OPERATOR),
    "rejected": Diagnosis("The CRM refuses the request", _OPERATOR),
    "oauth": Diagnosis("The CRM gives no access token", _OPERATOR),
    "query": Diagnosis("The query is refused", _OPERATOR),
    "rate_limited": Diagnosis("The CRM asks for fewer requests", _CRM_OPS),
    "server_error": Diagnosis("The CRM has a fault of its own", _CRM_OPS),
    "dns": Diagnosis("The CRM's name can't be found", _OPERATOR),
    "tls": Diagnosis("The CRM's certificate can't be trusted", _CRM_OPS),
    "connect": Diagnosis("The CRM takes no connection", _CRM_OPS),
    "broken": Diagnosis("The connection to the CRM breaks off", _CRM_OPS),
    "timeout": Diagnosis("The CRM is too slow to answer", _CRM_OPS),
    "address": Diagnosis("The link's address may not be fetched", _OPS),
    "not_readable": Diagnosis("The CRM answers with something that is not data", _OPERATOR),
    "invalid": Diagnosis("Too many records are not as the link's rules want them", _CRM_ADMIN),
    "empty": Diagnosis("The CRM answers with nothing", _CRM_ADMIN),
    "pagination": Diagnosis("The CRM's pages don't add up", _OPERATOR),
    "truncated": Diagnosis("The CRM sends fewer records than it has", _OPERATOR),
    "limit": Diagnosis("The CRM sends more than is allowed", _OPS),
    "shrink": Diagnosis("Most records are gone; a person decides", _OPERATOR),
    "secret": Diagnosis("The stored key can't be decrypted", _OPS),
    "interrupted": Diagnosis("The scheduler was stopped in the middle", _OPS),
    "error": Diagnosis("Something went wrong inside the product", _OPS),
}


def diagnosis(kind: str) -> Diagnosis:
    """What a failure of this kind (see core.errors) means."""
    return DIAGNOSES.get(kind, DIAGNOSES["error"])


def failure_in_words(error: Mapping[str, Any]) -> str:
    """A failure's message and what to do about it, in sentences."""
    message, action = str(error["message"]).strip(), str(error["action"]).strip()
    if message and message[-1] not in ".!?…:":
        message += "."
    return f"{message} {action}".strip()


def sync_status(link: PageLink, state: Mapping[str, Any], settings: Settings) -> str:
    """One of STATUSES.

    A link that failed is retrying until it failed as often as an alert takes; one that was never
    synced is waiting.
    """
    if not link.is_active:
        return "off"
    if state.get("lease_holder") and state["lease_until"] > time.time():
        return "syncing"
    error = state.get("last_error")
    if error:
        if error["kind"] == "shrink":
            return "held"
        return "failing" if state.get("failing") else "retrying"
    if not state.get("live_generation"):
        return "waiting"
    return "stale" if is_stale(link, state.get("last_success_at"), settings) else "serving"


def is_stale(link: PageLink, synced_at: float | None, settings: Settings) -> bool:
    """Whether a link's last good sync is too long ago for its interval."""
    minutes = link.link.sync_interval_minutes or settings.sync_interval_minutes
    return synced_at is None or time.time() - synced_at > STALE_AFTER_INTERVALS * minutes * 60
