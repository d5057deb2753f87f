"""REST API links: every page of the answer, or a failure that says why not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from core.connectors.api.authorized import AuthorizedAsker
from core.connectors.api.pages import Pages
from core.connectors.backoff import Asker
from core.connectors.http import GuardedSession
from core.connectors.interface import Context, Fetched, Validators
from core.connectors.paginators import PageRequest, Paginator, declared
from core.errors import EmptyAnswer, NotReadable
from core.models import CrmLink
from core.security.secrets import SecretBox
from core.text.decode import Text
from core.text.formats import read
from core.text.select import selects_whole_array


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
    """Everything that the link's URL answers, page by page: all but the first are asked for later.

    ``paginator`` is used in the place of what the link declares. ``check_value`` is called with
    each page, and may raise. ``name`` is a file's, and tells its format.

    Raises FetchError, AnswerError, or what cut the watch.
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
    with contextlib.ExitStack() as closing:
        closing.callback(session.close)
        authorized = AuthorizedAsker(link, context, asker)
        request = authorized.with_params(request)
        chosen = declared(link.fetch.pagination, request)
        if chosen:
            request = chosen[0]
        if paginator is not None:
            chosen = (request, paginator)
        conditions = validators.headers() if validators else {}
        first = authorized.ask(request, max_bytes=limits.max_bytes, conditions=conditions)
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
        fetched = Fetched(answer, len(first.body), 1, asker.retries, found)
        pages = Pages(link, context, authorized, session, check_value, fetched)
        pages.begin(request, first, chosen[1] if chosen else None)
        if fetched.grows is None:
            return fetched
        if link.fetch.records is None or selects_whole_array(link.fetch.records):
            closing.pop_all()
        else:
            pages.join()
        return fetched
