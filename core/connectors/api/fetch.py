"""REST API links: every page of the answer, or a failure that says why not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from core.connectors.api.auth import Access, access_of
from core.connectors.backoff import Asker
from core.connectors.http import Answer, GuardedSession
from core.connectors.interface import Context, Fetched, Validators
from core.connectors.paginators import Page, PageRequest, Paginator, declared, detected
from core.connectors.paginators import promised_total as promised
from core.errors import (
    EmptyAnswer,
    LimitExceeded,
    NotReadable,
    PaginationFailed,
    RequestRejected,
    Truncated,
)
from core.models import CrmLink
from core.security.secrets import SecretBox
from core.text.decode import Json, Pairs, Text
from core.text.flatten import find_records
from core.text.formats import read
from core.text.select import Parts, select_records


def request_headers(link: CrmLink, box: SecretBox, access: Access) -> dict[str, str]:
    """The headers that a link is asked with; its own win over the usual ones, in any case."""
    headers = {"Accept": "application/json, text/plain;q=0.9, */*;q=0.5", "User-Agent": "crm-desk"}
    if link.fetch.body is not None:
        headers["Content-Type"] = "application/json"
    headers |= access.headers
    for name, value in link.headers.items():
        for usual in [known for known in headers if known.lower() == name.lower()]:
            del headers[usual]
        headers[name] = box.open(value)
    headers.setdefault("Accept-Encoding", "gzip, deflate")
    return headers


def first_request(link: CrmLink, box: SecretBox, extra: Mapping[str, str]) -> PageRequest:
    """What a link asks first; ``extra`` are further parameters."""
    options = link.fetch
    request = PageRequest("GET", link.url)
    for name, value in options.params.items():
        request = request.with_value(name, box.open(value))
    request = PageRequest(options.method, request.url, options.body)
    for name, value in extra.items():
        request = request.with_value(name, value)
    return request


def fetch_pages(
    link: CrmLink,
    context: Context,
    *,
    paginator: Paginator | None = None,
    check_value: Callable[[Any], None] = lambda _: None,
    name: str = "",
) -> Fetched:
    """Everything that the link's URL answers, page by page.

    ``paginator`` is used in the place of what the link declares. ``check_value`` is called with
    each page, and may raise. ``name`` is a file's, and tells its format.

    Raises FetchError, AnswerError, or what cut the watch; never returns a part.
    """
    watch, limits, validators = context.watch, context.limits, context.validators
    session = GuardedSession(context.guard, watch)
    asker = Asker(
        session,
        context.pauses,
        watch,
        context.say,
        follow_redirects=link.fetch.follow_redirects,
    )
    request = first_request(link, context.box, context.extra)
    try:
        access = access_of(link, context)
        request = _with_params(request, access)
        headers = request_headers(link, context.box, access)
        chosen = declared(link.fetch.pagination, request)
        if chosen:
            request = chosen[0]
        if paginator is not None:
            chosen = (request, paginator)
        conditional = headers | (validators.headers() if validators else {})
        try:
            first = asker.ask(request, conditional, max_bytes=limits.max_bytes)
        except RequestRejected as refused:
            if refused.status != 401 or access.renew is None:
                raise
            # The token was taken back before its time.
            access = access.renew()
            headers = request_headers(link, context.box, access)
            first = asker.ask(request, headers, max_bytes=limits.max_bytes)
        found = Validators(first.headers.get("etag"), first.headers.get("last-modified"))
        if first.status == 304:
            if not validators or not validators.headers():
                raise NotReadable(
                    "304 Not Modified: the CRM says that nothing has changed, unasked.",
                    action="Report it to whoever runs the CRM: the first answer never came.",
                )
            return Fetched(None, 0, 1, asker.retries, validators or found)
        try:
            answer = read(
                first.body,
                first.headers.get("content-type"),
                watch.check,
                declared=link.fetch.format,
                name=name,
            )
        except EmptyAnswer:
            return Fetched(Text(""), len(first.body), 1, asker.retries, Validators())
        if isinstance(answer, Text):
            return Fetched(answer, len(first.body), 1, asker.retries, found)
        check_value(answer.value)
        walk = _Walk(link, context, asker, headers, access, len(first.body), check_value)
        said = walk.all_pages(request, first, answer.value, chosen[1] if chosen else None)
        if walk.pages > 1:
            # What the first page says of itself does not hold for those after it.
            found = Validators()
        return Fetched(answer, walk.bytes, walk.pages, asker.retries, found, said)
    finally:
        session.close()


def _with_params(request: PageRequest, access: Access) -> PageRequest:
    for name, value in access.params.items():
        request = request.with_query(name, value)
    return request


class _Walk:
    """Follows the pages of one answer and adds their records to the first page's array."""

    def __init__(
        self,
        link: CrmLink,
        context: Context,
        asker: Asker,
        headers: Mapping[str, str],
        access: Access,
        first_bytes: int,
        check_value: Callable[[Any], None],
    ) -> None:
        self._link = link
        self._asker = asker
        self._headers = headers
        self._access = access
        self._limits = context.limits
        self._watch = context.watch
        self._on_page = context.on_page
        self._check_value = check_value
        self.bytes = first_bytes
        self.pages = 1

    def all_pages(
        self, request: PageRequest, first: Answer, value: Any, paginator: Paginator | None
    ) -> str:
        """Extend ``value``, the first page, by all further ones; how they were found."""
        at = _array_path(value, self._link.fetch.records, self._watch.check)
        records = _array_at(value, at)
        page = Page(value, first.headers, len(records or []), 0)
        said = "as declared"
        if paginator is None:
            paginator, said = detected(page)
        total, seen = promised(value, paged=False), {_content(records or [])}
        asked = {request}
        self._on_page(1, page.records)
        while (following := paginator.next(request, page)) is not None and records is not None:
            # An address that the CRM gives may have no key in it, or another.
            following = _with_params(following, self._access)
            if following in asked:
                raise PaginationFailed(
                    f"Page {self.pages + 1} is asked for in the same way as a page before: the "
                    "CRM's cursor repeats.",
                    action="What was synced before is kept. Correct the link's pagination, or "
                    "report it to whoever runs the CRM.",
                )
            asked.add(following)
            request = following
            page = self._one(request, at, len(records))
            content = _content(_array_at(page.value, at) or [])
            if page.records and content in seen:
                raise PaginationFailed(
                    f"Page {self.pages} has the same records as a page before.",
                    action="What was synced before is kept. Correct the link's pagination: the "
                    "CRM does not seem to know the parameter.",
                )
            seen.add(content)
            records.extend(_array_at(page.value, at) or [])
            self._on_page(self.pages, len(records))
        self._check_total(total, len(records or []))
        return said

    def _one(self, request: PageRequest, at: Parts, before: int) -> Page:
        if self.pages >= self._limits.max_pages:
            raise LimitExceeded(
                f"There are more than {self._limits.max_pages:,} pages.",
                action="Ask for more records a page, or raise MAX_PAGES.",
            )
        self._watch.check()
        left = self._limits.max_bytes - self.bytes
        answer = self._asker.ask(request, self._headers, max_bytes=max(left, 0))
        self.pages += 1
        self.bytes += len(answer.body)
        try:
            decoded = read(
                answer.body,
                answer.headers.get("content-type"),
                self._watch.check,
                declared=self._link.fetch.format,
            )
        except EmptyAnswer:
            raise self._missing() from None
        if isinstance(decoded, Json):
            self._check_value(decoded.value)
        records = _array_at(decoded.value, at) if isinstance(decoded, Json) else None
        if records is None or not isinstance(decoded, Json):
            raise self._missing()
        if before + len(records) > self._limits.max_records:
            raise LimitExceeded(
                f"There are more than {self._limits.max_records:,} records.",
                action="Ask for less at once, or raise MAX_RECORDS.",
            )
        return Page(decoded.value, answer.headers, len(records), before)

    def _missing(self) -> PaginationFailed:
        return PaginationFailed(
            f"Page {self.pages} has no records where the first page has them.",
            action="What was synced before is kept. Report it to whoever runs the CRM.",
        )

    def _check_total(self, total: int | None, come: int) -> None:
        if total is not None and 0 < come < total:
            raise Truncated(
                f"The CRM says there are {total:,} records, but only {come:,} came.",
                action="What was synced before is kept. Declare the link's pagination, if the rest "
                "is on further pages.",
            )


def _array_path(value: Any, selector: str | None, check: Callable[[], None]) -> Parts:
    """The keys that lead to the array which pages add to: that of the records."""
    if selector is not None:
        selected = select_records(value, selector)
        parts = selected[0] if selected else ()
        return next((parts[:n] for n, part in enumerate(parts) if isinstance(part, int)), ())
    found = find_records(value, check)
    return found[1] if found else ()


def _array_at(value: Any, keys: Parts) -> list[Any] | None:
    for key in keys:
        if not isinstance(value, Pairs):
            return None
        value = next((member for name, member in reversed(value) if name == key), None)
    return value if isinstance(value, list) and not isinstance(value, Pairs) else None


def _content(records: list[Any]) -> str:
    return hashlib.sha256(json.dumps(records, sort_keys=False).encode()).hexdigest()
