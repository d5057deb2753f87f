"""Asking again where that can help, as long and as seldom as the CRM wants."""

from __future__ import annotations

import email.utils
import math
import random
import time
from collections.abc import Callable, Mapping
from urllib.parse import urljoin

import stamina

from core.connectors.http import Answer, GuardedSession
from core.connectors.paginators import PageRequest
from core.connectors.pauses import HostPauses
from core.errors import FetchError, RateLimited, RequestRejected, ServerFailed, Truncated
from core.security.network import parse_target
from core.watch import Watch

ATTEMPTS = 4
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Longer waits (in seconds) give the worker back: the link is rescheduled instead."""
LONGEST_PAUSE = 24 * 3600.0
"""However long a CRM asks to be left alone: not longer than this."""
MAX_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
# Of a request's headers those that say nothing of whom it is from.
_HARMLESS = frozenset({"accept", "accept-encoding", "user-agent"})
_EPOCH = 1_000_000_000.0  # a reset beyond this is a moment, not a number of seconds


class Asker:
    """Sends the requests of one run. ``say`` is told, in a sentence, of each new attempt."""

    def __init__(
        self,
        session: GuardedSession,
        pauses: HostPauses,
        watch: Watch,
        say: Callable[[str], None],
        *,
        follow_redirects: bool = False,
    ) -> None:
        self._session = session
        self._pauses = pauses
        self._watch = watch
        self._say = say
        self._hops = MAX_HOPS if follow_redirects else 0
        self.retries = 0

    def ask(self, request: PageRequest, headers: Mapping[str, str], *, max_bytes: int) -> Answer:
        """The answer, a 2xx or 304. Raises FetchError, LimitExceeded, or what cut the watch."""
        # stamina counts and decides; the wait itself is ours, since a run can be cancelled in it.
        for attempt in stamina.retry_context(
            on=is_worth_waiting, attempts=ATTEMPTS, timeout=None, wait_initial=0, wait_max=0,
            wait_jitter=0,
        ):  # fmt: skip
            with attempt:
                try:
                    return self._once(request, headers, max_bytes)
                except FetchError as error:
                    if is_worth_waiting(error) and attempt.num < ATTEMPTS:
                        seconds = wait_seconds(error, attempt.num)
                        self._say(f"{error.message} Trying again in {seconds:.1f} s.")
                        self.retries += 1
                        self._watch.wait(seconds)
                    raise
        raise AssertionError("unreachable")

    def _once(self, request: PageRequest, headers: Mapping[str, str], max_bytes: int) -> Answer:
        origin = parse_target(request.url).origin
        left = self._pauses.seconds_left(origin)
        if left > LONGEST_WAIT:
            raise RateLimited(
                f"{origin} asked to be left alone for another {_span(left)}.",
                retry_after=left,
                action="Nothing to do: the link waits for it.",
            )
        if left:
            self._watch.wait(left)
        answer = self._send(request, headers, max_bytes)
        try:
            raise_for_status(answer)
        except RateLimited as limited:
            if limited.retry_after:
                self._pauses.pause(origin, min(limited.retry_after, LONGEST_PAUSE))
            raise
        if (reset := exhausted_for(answer.headers)) is not None:
            # This answer was the last one allowed: the next request would be refused.
            self._pauses.pause(origin, min(reset, LONGEST_PAUSE))
        return answer

    def _send(self, request: PageRequest, headers: Mapping[str, str], max_bytes: int) -> Answer:
        """The answer, after as many redirects as are allowed; each address is checked again."""
        for hop in range(self._hops + 1):
            body = request.body.encode() if request.body is not None else None
            answer = self._session.send(
                request.method, request.url, headers, body=body, max_bytes=max_bytes
            )
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location or not self._hops:
                return answer
            if hop == self._hops:
                break
            request, headers = redirected(request, headers, answer.status, location)
        raise RequestRejected(
            answer.status,
            f"The address redirects more than {self._hops} times.",
            action="Enter the address that it leads to in the end.",
        )


def redirected(
    request: PageRequest, headers: Mapping[str, str], status: int, location: str
) -> tuple[PageRequest, Mapping[str, str]]:
    """What is asked next, and with which headers: none of the link's own go to another host.

    Raises AddressRefused when the address is none, RequestRejected when a body would go elsewhere.
    """
    url = urljoin(request.url, location)
    here, there = parse_target(request.url), parse_target(url)
    keeps_method = status in (307, 308) or request.method == "GET"
    method, body = (request.method, request.body) if keeps_method else ("GET", None)
    if (here.scheme, here.origin) != (there.scheme, there.origin):
        if body is not None:
            raise RequestRejected(
                status,
                f"The address redirects to another host, {there.origin}, which would get the body.",
                action="Enter that address if it is right.",
            )
        headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
    return PageRequest(method, url, body), headers


def is_worth_waiting(error: Exception) -> bool:
    """Whether asking again within this run can help."""
    if not isinstance(error, FetchError) or error.permanent:
        return False
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return asked is None or asked <= LONGEST_WAIT


def wait_seconds(error: FetchError, attempt: int) -> float:
    """How long to wait after a failed attempt: full jitter, at least what the CRM asked for."""
    most = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    # Never nothing: a CRM that says "Retry-After: 0" has just refused. No cryptography here.
    jittered = random.uniform(FIRST_WAIT / 2, most)  # noqa: S311
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return max(jittered, asked or 0.0)


def raise_for_status(answer: Answer) -> None:
    """Raise RequestRejected, RateLimited, ServerFailed or Truncated unless it is a 2xx or 304."""
    if answer.status == 206:
        raise Truncated(
            "206 Partial Content: the CRM sent a part of its answer only.",
            action="What was synced before is kept. Report it to whoever runs the CRM.",
        )
    if 200 <= answer.status < 300 or answer.status == 304:
        return
    line = f"{answer.status} {answer.reason}".strip()
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        asked = retry_after(answer.headers)
        raise RateLimited(
            line,
            retry_after=exhausted_for(answer.headers) if asked is None else asked,
            action="The CRM asks for a pause; it is tried again by itself.",
        )
    if answer.status >= 500:
        raise ServerFailed(line, action="The CRM has a problem of its own; it is tried again.")
    raise RequestRejected(answer.status, line, action=_ACTIONS.get(answer.status, _OTHER))


_OTHER = "Check the address against the CRM's documentation."
_ACTIONS = {
    301: "The address has moved: enter the new one, or let the link follow redirects.",
    302: "The address redirects, often to a login page: check address and key, or let the link "
    "follow redirects.",
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


def exhausted_for(headers: Mapping[str, str]) -> float | None:
    """Seconds until there is allowance again, when ``RateLimit-*`` says that none is left.

    The reset is in seconds (the IETF draft) or a moment in seconds since 1970 (GitHub).
    """
    for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
        remaining, reset = headers.get(prefix + "remaining"), headers.get(prefix + "reset")
        try:
            if remaining is None or reset is None or float(remaining) > 0:
                continue
            seconds = float(reset)
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds - time.time() if seconds > _EPOCH else seconds)
    return None


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"
