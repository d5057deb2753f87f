"""The connector of GraphQL links: a query, page by page.

The query is parsed as it is entered, so that a slip is told at once. Answers are those of the
GraphQL-over-HTTP draft; pages are those of the Relay cursor connections specification: the query
takes the cursor as a variable (``$after``) and asks for ``pageInfo { hasNextPage endCursor }``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, field_validator

from core.connectors.api.connector import ApiConnector, ApiOptions
from core.connectors.api.fetch import fetch_pages
from core.connectors.interface import Context, Fetched, Options
from core.connectors.paginators import Page, PageRequest
from core.errors import PaginationFailed, QueryRefused
from core.models import CrmLink
from core.text.decode import Pairs

# More of what a CRM says about an error than anyone reads
_SAID = 300


class GraphqlOptions(ApiOptions):
    """What is asked; access as for a REST API."""

    query: str = Field(min_length=1, max_length=50_000)
    variables: dict[str, Any] = Field(default_factory=dict)
    cursor_variable: str = Field("after", min_length=1, max_length=100)

    @field_validator("query")
    @classmethod
    def _parses(cls, query: str) -> str:
        # A quarter of a second to import, and needed only where somebody enters a query.
        from gql import gql
        from graphql import GraphQLError

        try:
            document = gql(query).document
        except GraphQLError as error:
            where = f" (line {error.locations[0].line})" if error.locations else ""
            raise ValueError(f"is not GraphQL{where}: {error.message}") from None
        kinds = [getattr(one, "operation", None) for one in document.definitions]
        operations = [kind.value for kind in kinds if kind is not None]
        if operations != ["query"]:
            raise ValueError("must be one query: mutations and subscriptions are not sent")
        return query


class GraphqlConnector(ApiConnector):
    """Fetches GraphQL links."""

    options: ClassVar[type[Options]] = GraphqlOptions

    def fetch(self, link: CrmLink, context: Context) -> Fetched:
        """The answer's ``data``, all pages of it as one.

        Raises QueryRefused for errors, also beside data and in an answer that says 200.
        """
        options = link.options
        body = {"query": options["query"], "variables": dict(options.get("variables") or {})}
        asked = replace(link, fetch=replace(link.fetch, method="POST", body=json.dumps(body)))
        relay = RelayCursors(str(options.get("cursor_variable") or "after"))
        return fetch_pages(asked, context, paginator=relay, check_value=raise_for_errors)


class RelayCursors:
    """The next page is after the ``endCursor`` of this one."""

    name = "Relay cursors"

    def __init__(self, variable: str) -> None:
        self._variable = variable

    def next(self, request: PageRequest, page: Page) -> PageRequest | None:
        """The request for the next page, None after the last one."""
        found = list(_page_infos(page.value))
        going_on = [info for info in found if _member(info, "hasNextPage") is True]
        if not going_on:
            return None
        if len(going_on) > 1:
            raise PaginationFailed(
                "The answer has several lists with further pages.",
                action="Ask for one of them in each link: make a link of each.",
            )
        cursor = _member(going_on[0], "endCursor")
        if not isinstance(cursor, str) or not cursor:
            raise PaginationFailed(
                "There is a next page, but no endCursor that leads to it.",
                action="Ask for pageInfo { hasNextPage endCursor } in the query.",
            )
        asked = json.loads(request.body or "{}")
        if f"${self._variable}" not in asked["query"]:
            raise PaginationFailed(
                f"There is a next page, but the query does not take ${self._variable}.",
                action=f"Write it like query (${self._variable}: String) "
                f"{{ customers(first: 100, after: ${self._variable}) {{ … }} }}.",
            )
        asked["variables"][self._variable] = cursor
        return replace(request, body=json.dumps(asked))


def raise_for_errors(value: Any) -> None:
    """Raise QueryRefused unless an answer has data and no errors: a part is no success."""
    errors = _member(value, "errors")
    data = _member(value, "data")
    if not errors and isinstance(data, Pairs):
        return
    first = errors[0] if isinstance(errors, list) and errors else None
    said = _member(first, "message")
    words = f": {str(said)[:_SAID]}" if isinstance(said, str) and said else ""
    part = " Some data came along, which is not used." if isinstance(data, Pairs) else ""
    raise QueryRefused(
        f"The CRM answers the query with an error{words}.{part}"
        if errors
        else "The answer is none of GraphQL: it has no data.",
        action="What was synced before is kept. Correct the query, or the key's rights.",
    )


def _page_infos(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Pairs):
            for name, member in found:
                if name == "pageInfo":
                    yield member
                elif isinstance(member, Pairs):
                    waiting.append(member)


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, Pairs):
        return None
    return next((member for key, member in value if key == name), None)
