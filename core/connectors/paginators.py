"""From one page of an answer to the request for the next.

Declared per link, or found on the first page. The vocabulary is dlt's: ``header_link`` (RFC 8288,
also Shopify's ``page_info``), ``json_link`` (the next address in the body), ``cursor`` (HubSpot's
``paging.next.after``), ``page_number``, ``offset``, ``single_page``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from requests.utils import parse_header_links

from core.errors import AddressRefused, PaginationFailed
from core.models import Pagination, PaginatorType
from core.security.network import parse_target
from core.text.decode import Number, Pairs
from core.text.select import first_value


@dataclass(frozen=True)
class PageRequest:
    """What one page is asked with; ``body`` is JSON text."""

    method: str
    url: str
    body: str | None = None

    def with_value(self, name: str, value: str | int) -> PageRequest:
        """The same request with a query parameter set, or a member of its JSON body."""
        if self.body is not None:
            members = json.loads(self.body)
            return replace(self, body=json.dumps(members | {name: value}))
        return self.with_query(name, value)

    def with_query(self, name: str, value: str | int) -> PageRequest:
        """The same request with a query parameter set, whether or not it has a body."""
        parts = urlsplit(self.url)
        query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
        return replace(
            self, url=urlunsplit(parts._replace(query=urlencode([*query, (name, str(value))])))
        )

    def value(self, name: str) -> str | None:
        """The value of a query parameter or a member of the body."""
        if self.body is not None:
            found = json.loads(self.body).get(name)
            return None if found is None else str(found)
        return dict(parse_qsl(urlsplit(self.url).query)).get(name)

    def at(self, address: str) -> PageRequest:
        """The same request to another address, absolute or relative, of the same host.

        Raises AddressRefused for another host: the key and the headers go along.
        """
        url = urljoin(self.url, address)
        here, there = parse_target(self.url), parse_target(url)
        if (here.scheme, here.origin) != (there.scheme, there.origin):
            raise AddressRefused(
                f"The next page is said to be on another host, {there.origin}.",
                action="The key is not sent there. Make a link for that host if it is right.",
            )
        return replace(self, url=url)


@dataclass(frozen=True)
class Page:
    """One page: its decoded body, its headers (names in lower case), its number of records."""

    value: Any
    headers: Mapping[str, str]
    records: int
    records_before: int


class Paginator(Protocol):
    """Knows where the next page is."""

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:
        """The request for the page after ``page``; None when that was the last."""


class SinglePage:
    """There is one page."""

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:  # noqa: ARG002
        """None."""
        return None


class HeaderLink:
    """``Link: <…>; rel="next"`` (RFC 8288), absolute or relative."""

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:
        """Follow the header."""
        address = _next_link(page.headers)
        return request.at(address) if address else None


@dataclass(frozen=True)
class JsonLink:
    """The next address stands in the body."""

    path: str

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:
        """Follow the address; null, false, an empty string and absence end it."""
        address = first_value(page.value, self.path)
        if address in (None, "", False):
            return None
        if not isinstance(address, str) or isinstance(address, Number):
            raise PaginationFailed(
                f"The next page's address at {self.path} is not text.",
                action="Correct the link's pagination.",
            )
        return request.at(address)


@dataclass(frozen=True)
class Cursor:
    """A cursor in the body is sent back with the next request."""

    path: str
    param: str

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:
        """Send the cursor on; null, false, an empty string and absence end it."""
        cursor = first_value(page.value, self.path)
        if cursor in (None, "", False):
            return None
        if not isinstance(cursor, str | int):
            raise PaginationFailed(
                f"The cursor at {self.path} is neither text nor a number.",
                action="Correct the link's pagination.",
            )
        return request.with_value(self.param, str(cursor))


@dataclass(frozen=True)
class PageNumber:
    """Pages are counted; an empty one, or the total in the body, ends it."""

    param: str
    first: int
    total_path: str | None

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:
        """The page after the one that was asked for."""
        now = int(request.value(self.param) or self.first)
        total = _number(first_value(page.value, self.total_path)) if self.total_path else None
        last = total - 1 + self.first if total is not None else None
        if page.records == 0 or (last is not None and now >= last):
            return None
        return request.with_value(self.param, now + 1)


@dataclass(frozen=True)
class Offset:
    """Records are counted; an empty page, or the total in the body, ends it."""

    param: str
    total_path: str | None

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:
        """What comes after the records that have come."""
        total = _number(first_value(page.value, self.total_path)) if self.total_path else None
        come = page.records_before + page.records
        start = int(request.value(self.param) or 0) + page.records
        if page.records == 0 or (total is not None and come >= total):
            return None
        return request.with_value(self.param, start)


def declared(pagination: Pagination, request: PageRequest) -> tuple[PageRequest, Paginator] | None:
    """The first request and the paginator that a link declares; None for ``auto``."""
    match pagination.type:
        case PaginatorType.AUTO:
            return None
        case PaginatorType.SINGLE_PAGE:
            return request, SinglePage()
        case PaginatorType.HEADER_LINK:
            return request, HeaderLink()
        case PaginatorType.JSON_LINK:
            return request, JsonLink(pagination.next_path or "$.next")
        case PaginatorType.CURSOR:
            path = pagination.cursor_path or "$.next_cursor"
            return request, Cursor(path, pagination.cursor_param or "cursor")
        case PaginatorType.PAGE_NUMBER:
            name = pagination.page_param or "page"
            if pagination.page_size is not None:
                request = request.with_value(
                    pagination.limit_param or "per_page", pagination.page_size
                )
            numbered = PageNumber(name, pagination.first_page, pagination.total_path)
            return request.with_value(name, pagination.first_page), numbered
        case PaginatorType.OFFSET:
            name = pagination.offset_param or "offset"
            if pagination.page_size is not None:
                request = request.with_value(
                    pagination.limit_param or "limit", pagination.page_size
                )
            return request.with_value(name, 0), Offset(name, pagination.total_path)


_NEXT_LINKS = (
    "$.next",
    "$.next_url",
    "$.next_page_url",
    "$.nextLink",
    "$['@odata.nextLink']",
    "$.nextRecordsUrl",
    "$.links.next",
    "$.links.next.href",
    "$._links.next.href",
    "$._links.next",
    "$.paging.next.link",
    "$.paging.next",
    "$.pagination.next_url",
    "$.pagination.next",
    "$.meta.next",
    "$.meta.next_page_url",
)
_CURSORS = (
    ("$.paging.next.after", "after"),
    ("$.paging.cursors.after", "after"),
    ("$.next_cursor", "cursor"),
    ("$.nextCursor", "cursor"),
    ("$.meta.next_cursor", "cursor"),
    ("$.meta.cursor.next", "cursor"),
    ("$.pagination.next_cursor", "cursor"),
    ("$.response_metadata.next_cursor", "cursor"),
    ("$.nextPageToken", "pageToken"),
    ("$.next_page_token", "page_token"),
)
_AROUND = ("$", "$.meta", "$.pagination", "$.paging", "$.page_info")


def detected(page: Page) -> tuple[Paginator, str]:
    """The paginator that the first page speaks for, and how to say so."""
    if _next_link(page.headers):
        return HeaderLink(), "the Link header"
    if not isinstance(page.value, Pairs):
        return SinglePage(), "a single page"
    for path, param in _CURSORS:
        if _is_text(first_value(page.value, path)):
            return Cursor(path, param), f"the cursor at {path}, sent as {param}"
    for path in _NEXT_LINKS:
        found = first_value(page.value, path)
        if _is_text(found) and (str(found).startswith(("http://", "https://", "/", "?"))):
            return JsonLink(path), f"the address at {path}"
    for around in _AROUND:
        numbered = _numbered(page, around)
        if numbered:
            return numbered
    return SinglePage(), "a single page"


def promised_total(value: Any, *, paged: bool) -> int | None:
    """How many records an answer says there are, if it says so plainly.

    A bare ``total`` could be a sum of money: it counts only beside a page size or an offset.
    """
    for around in _AROUND:
        for name in ("total_count", "totalCount", "total_records", "totalRecords"):
            if (total := _number(first_value(value, f"{around}.{name}"))) is not None:
                return total
        sizes = ("limit", "per_page", "page_size", "offset", "perPage", "pageSize")
        beside = paged or any(
            _number(first_value(value, f"{around}.{name}")) is not None for name in sizes
        )
        total = _number(first_value(value, f"{around}.total"))
        if beside and total is not None:
            return total
    return None


def _numbered(page: Page, around: str) -> tuple[Paginator, str] | None:
    def number(*names: str) -> tuple[str, int] | None:
        for name in names:
            found = _number(first_value(page.value, f"{around}.{name}"))
            if found is not None:
                return name, found
        return None

    total = number("total", "total_count", "totalCount")
    offset = number("offset", "skip")
    if offset and total and number("limit", "per_page", "page_size", "count"):
        return Offset(offset[0], f"{around}.{total[0]}"), f"{offset[0]} up to {total[0]}"
    current = number("page", "current_page", "currentPage")
    pages = number("total_pages", "totalPages", "last_page", "pages", "page_count")
    if current and pages:
        first = min(current[1], 1)
        said = f"page numbers up to {pages[0]}"
        return PageNumber("page", first, f"{around}.{pages[0]}"), said
    return None


def _next_link(headers: Mapping[str, str]) -> str | None:
    for link in parse_header_links(headers.get("link", "")):
        if "next" in str(link.get("rel", "")).lower().split():
            return str(link["url"])
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _number(value: Any) -> int | None:
    try:
        return int(value) if isinstance(value, str) and value.isascii() else None
    except ValueError:
        return None
