"""Requests that say who asks, with a token that may end on the way."""

from __future__ import annotations

from collections.abc import Mapping

from core.connectors.api.auth import Access, access_of
from core.connectors.backoff import Asker
from core.connectors.http import Answer
from core.connectors.interface import Context
from core.connectors.paginators import PageRequest
from core.errors import RequestRejected
from core.models import CrmLink
from core.security.secrets import SecretBox


class AuthorizedAsker:
    """Sends the requests of one run of a link."""

    def __init__(self, link: CrmLink, context: Context, asker: Asker) -> None:
        """Raises FetchError when no token is to be had."""
        self._link = link
        self._box = context.box
        self._asker = asker
        self._access = access_of(link, context)

    @property
    def retries(self) -> int:
        """How often a request was sent again."""
        return self._asker.retries

    def with_params(self, request: PageRequest) -> PageRequest:
        """``request`` with the parameters in it that prove who asks."""
        for name, value in self._access.params.items():
            request = request.with_query(name, value)
        return request

    def ask(
        self, request: PageRequest, *, max_bytes: int, conditions: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, a 2xx or 304; ``conditions`` are further headers.

        A token that is refused is replaced, once for each request: it may have been taken back, or
        have ended while the pages before were read. Raises as ``Asker.ask`` does.
        """
        further = dict(conditions or {})
        try:
            return self._asker.ask(request, self._headers() | further, max_bytes=max_bytes)
        except RequestRejected as refused:
            if refused.status != 401 or self._access.renew is None:
                raise
            self._access = self._access.renew()
            return self._asker.ask(request, self._headers() | further, max_bytes=max_bytes)

    def _headers(self) -> dict[str, str]:
        return request_headers(self._link, self._box, self._access)


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
