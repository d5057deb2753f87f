"""REST API links: fetch with the link's key and headers, trying again where that can help."""

from __future__ import annotations

import email.utils
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import stamina
import structlog

from core.connectors.http import Answer, GuardedSession, Watch
from core.errors import FetchError, RateLimited, RequestRejected, ServerFailed
from core.models import CrmLink
from core.security.network import AddressGuard
from core.security.secrets import SecretBox

ATTEMPTS = 4
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Longer waits (in seconds) give the worker back: the link is rescheduled instead."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Fetched:
    """What a link answered: the body, decompressed, and its content type."""

    body: bytes
    content_type: str | None


def request_headers(link: CrmLink, box: SecretBox) -> dict[str, str]:
    """The headers that a link is asked with; its own win over the usual ones, in any case."""
    headers = {"Accept": "application/json, text/plain;q=0.9, */*;q=0.5", "User-Agent": "crm-desk"}
    if link.api_key:
        headers["Authorization"] = f"Bearer {box.open(link.api_key)}"
    for name, value in link.headers.items():
        for usual in [known for known in headers if known.lower() == name.lower()]:
            del headers[usual]
        headers[name] = box.open(value)
    headers.setdefault("Accept-Encoding", "gzip, deflate")
    return headers


def fetch(
    link: CrmLink,
    *,
    box: SecretBox,
    guard: AddressGuard,
    watch: Watch,
    max_bytes: int,
    say: Callable[[str], None],
) -> Fetched:
    """What the link's URL answers. ``say`` is told, in a sentence, of each new attempt.

    Raises FetchError, LimitExceeded, or what cut the watch.
    """
    headers = request_headers(link, box)
    session = GuardedSession(guard, watch)

    def back_off(error: Exception) -> bool | float:
        if not isinstance(error, FetchError) or error.permanent:
            return False
        asked = error.retry_after if isinstance(error, RateLimited) else None
        return asked is None or asked <= LONGEST_WAIT

    try:
        # stamina counts and decides; the wait itself is ours, since a run can be cancelled in it.
        for attempt in stamina.retry_context(
            on=back_off, attempts=ATTEMPTS, timeout=None, wait_initial=0, wait_max=0, wait_jitter=0
        ):
            with attempt:
                try:
                    answer = session.get(link.url, headers, max_bytes=max_bytes)
                    raise_for_status(answer)
                except FetchError as error:
                    if back_off(error) and attempt.num < ATTEMPTS:
                        seconds = wait_seconds(error, attempt.num)
                        say(f"{error.message} Trying again in {seconds:.1f} s.")
                        watch.wait(seconds)
                    raise
                return Fetched(answer.body, answer.headers.get("content-type"))
        raise AssertionError("unreachable")
    finally:
        session.close()


def wait_seconds(error: FetchError, attempt: int) -> float:
    """How long to wait after a failed attempt: full jitter, at least what the CRM asked for."""
    most = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    # Spreading clients out, no cryptography.
    jittered = random.uniform(FIRST_WAIT / 2, most)  # noqa: S311
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return max(jittered, asked or 0.0)


def raise_for_status(answer: Answer) -> None:
    """Raise RequestRejected, RateLimited or ServerFailed unless the answer is a 2xx."""
    if 200 <= answer.status < 300:
        return
    line = f"{answer.status} {answer.reason}".strip()
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        raise RateLimited(
            line,
            retry_after=retry_after(answer.headers),
            action="The CRM asks for a pause; it is tried again by itself.",
        )
    if answer.status >= 500:
        raise ServerFailed(line, action="The CRM has a problem of its own; it is tried again.")
    raise RequestRejected(answer.status, line, action=_ACTIONS.get(answer.status, _OTHER))


_OTHER = "Check the address against the CRM's documentation."
_ACTIONS = {
    301: "The address has moved and redirects are not followed: enter the new address.",
    302: "The address redirects, which is not followed: often a login page. Check address and key.",
    401: "The CRM does not accept the key: enter a valid one.",
    403: "The key is valid but may not read this: give it more rights in the CRM.",
    404: "There is nothing at this address: check its spelling.",
}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``Retry-After`` (RFC 9110: seconds or a date); None when not usable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) < 10 else math.inf
    try:
        at = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return max(0.0, at.timestamp() - time.time())
