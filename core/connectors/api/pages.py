"""The pages of an answer after the first, each asked for when its turn comes."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from core.connectors.api.authorized import AuthorizedAsker
from core.connectors.http import Answer, GuardedSession
from core.connectors.interface import Context, Fetched, Validators
from core.connectors.paginators import Page, PageRequest, Paginator, detected
from core.connectors.paginators import promised_total as promised
from core.errors import EmptyAnswer, LimitExceeded, PaginationFailed, Truncated
from core.models import CrmLink
from core.text.arrays import find_records
from core.text.decode import Json, Pairs
from core.text.formats import read
from core.text.select import Parts, array_at, select_records


class Pages:
    """Follows the pages of ``fetched``, whose answer is the first, and counts them there.

    What came is held compressed, so that it can be gone through again without asking again.
    """

    def __init__(
        self,
        link: CrmLink,
        context: Context,
        asker: AuthorizedAsker,
        session: GuardedSession,
        check_value: Callable[[Any], None],
        fetched: Fetched,
    ) -> None:
        self._link = link
        self._asker = asker
        self._session = session
        self._limits = context.limits
        self._watch = context.watch
        self._on_page = context.on_page
        self._check_value = check_value
        self._fetched = fetched
        self._at: Parts = ()
        self._asked: set[PageRequest] = set()
        self._seen: set[str] = set()
        self._total: int | None = None
        self._come = 0
        self._paginator: Paginator
        self._following: PageRequest | None = None
        self._bodies: list[tuple[bytes, str | None]] = []

    def begin(self, request: PageRequest, first: Answer, paginator: Paginator | None) -> None:
        """Find out whether there are further pages, and where what they bring belongs."""
        answer = self._fetched.answer
        assert isinstance(answer, Json)
        at = _array_path(answer.value, self._link.fetch.records, self._watch.check)
        records = array_at(answer.value, at)
        page = Page(answer.value, first.headers, len(records or []), 0)
        said = "as declared"
        if paginator is None:
            paginator, said = detected(page)
        self._paginator, self._fetched.pagination, self._at = paginator, said, at
        self._total, self._come = promised(answer.value, paged=False), page.records
        self._seen, self._asked = {_content(records or [])}, {request}
        self._on_page(1, page.records)
        following = paginator.next(request, page)
        if following is None or records is None:
            self._check_total()
            return
        self._following = following
        self._fetched.further, self._fetched.grows = self, at
        # What the first page says of itself does not hold for those after it.
        self._fetched.validators = Validators()

    def join(self) -> None:
        """Add what all pages bring to the first: a selector may want to see all of it at once."""
        answer = self._fetched.answer
        assert isinstance(answer, Json)
        records = array_at(answer.value, self._at)
        assert records is not None
        for part in self:
            records.extend(array_at(part.value, self._at) or [])
        self._fetched.further, self._fetched.grows = Fetched(None, 0).further, None

    def __iter__(self) -> Iterator[Json]:
        """What each page brings, where it belongs in the answer."""
        for body, content_type in self._bodies:
            yield self._part(self._read(zlib.decompress(body), content_type))
        while self._following is not None:
            # An address that the CRM gives may have no key in it, or another.
            request = self._asker.with_params(self._following)
            if request in self._asked:
                raise PaginationFailed(
                    f"Page {self._fetched.pages + 1} is asked for in the same way as a page "
                    "before: the CRM's cursor repeats.",
                    action="What was synced before is kept. Correct the link's pagination, or "
                    "report it to whoever runs the CRM.",
                )
            self._asked.add(request)
            page = self._one(request)
            self._following = self._paginator.next(request, page)
            if self._following is None:
                self._check_total()
            yield self._part(page.value)

    def close(self) -> None:
        """Close the connection, and let go of what came."""
        self._session.close()
        self._bodies = []

    def _part(self, value: Any) -> Json:
        part: Any = array_at(value, self._at)
        for key in reversed(self._at):
            part = Pairs([(str(key), part)])
        return Json(part)

    def _one(self, request: PageRequest) -> Page:
        fetched = self._fetched
        if fetched.pages >= self._limits.max_pages:
            raise LimitExceeded(
                f"There are more than {self._limits.max_pages:,} pages.",
                action="Ask for more records a page, or raise MAX_PAGES.",
            )
        self._watch.check()
        left = self._limits.max_bytes - fetched.bytes
        try:
            answer = self._asker.ask(request, max_bytes=max(left, 0))
        finally:
            fetched.retries = self._asker.retries
        fetched.pages += 1
        fetched.bytes += len(answer.body)
        content_type = answer.headers.get("content-type")
        value = self._read(answer.body, content_type)
        self._check_value(value)
        records = array_at(value, self._at)
        if records is None:
            raise self._missing()
        if self._come + len(records) > self._limits.max_records:
            raise LimitExceeded(
                f"There are more than {self._limits.max_records:,} records.",
                action="Ask for less at once, or raise MAX_RECORDS.",
            )
        content = _content(records)
        if records and content in self._seen:
            raise PaginationFailed(
                f"Page {fetched.pages} has the same records as a page before.",
                action="What was synced before is kept. Correct the link's pagination: the "
                "CRM does not seem to know the parameter.",
            )
        self._seen.add(content)
        self._bodies.append((zlib.compress(answer.body, 1), content_type))
        page = Page(value, answer.headers, len(records), self._come)
        self._come += len(records)
        self._on_page(fetched.pages, self._come)
        return page

    def _read(self, body: bytes, content_type: str | None) -> Any:
        declared = self._link.fetch.format
        try:
            decoded = read(body, content_type, self._watch.check, declared=declared)
        except EmptyAnswer:
            raise self._missing() from None
        if not isinstance(decoded, Json):
            raise self._missing()
        return decoded.value

    def _missing(self) -> PaginationFailed:
        return PaginationFailed(
            f"Page {self._fetched.pages} has no records where the first page has them.",
            action="What was synced before is kept. Report it to whoever runs the CRM.",
        )

    def _check_total(self) -> None:
        if self._total is not None and 0 < self._come < self._total:
            raise Truncated(
                f"The CRM says there are {self._total:,} records, but only {self._come:,} came.",
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


def _content(records: list[Any]) -> str:
    return hashlib.sha256(json.dumps(records, sort_keys=False).encode()).hexdigest()
