"""What a run asks a link's source for: everything, what has changed since, or whether it has."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from core.connectors.interface import Contexts, Fetched, Validators
from core.connectors.registry import connector_of
from core.models import PageLink, Trigger
from core.text.redact import Policy
from core.watch import Watch

_PROGRESS_SECONDS = 0.5


class Fetching:
    """Asks the links' sources."""

    def __init__(self, contexts: Contexts, model: str) -> None:
        self._contexts = contexts
        self._model = model

    def fetch(
        self,
        link: PageLink,
        state: Mapping[str, Any],
        watch: Watch,
        *,
        increment: bool,
        say: Callable[[str], None],
        on_records: Callable[[int], None],
    ) -> Fetched:
        """What the source answers; with ``increment`` what has changed since the state's cursor.

        ``say`` hears, in a sentence, what is out of the ordinary; ``on_records``, now and then, how
        many records have come. Raises FetchError, AnswerError, or what cut the watch.
        """
        is_whole = state["live_generation"] and not state["writing"] and not increment
        may_ask = is_whole and state["model"] == self._model
        validators = Validators(state.get("etag"), state.get("last_modified")) if may_ask else None
        options = link.link.fetch.incremental
        extra = {options.param: str(state["cursor"])} if increment and options else {}
        said = time.monotonic()

        def on_page(pages: int, records: int) -> None:
            nonlocal said
            if pages > 1 and time.monotonic() - said > _PROGRESS_SECONDS:
                said = time.monotonic()
                on_records(records)

        context = self._contexts.of(watch, say, validators=validators, extra=extra, on_page=on_page)
        return connector_of(link.link.type).fetch(link.link, context)

    def increments_by(
        self, link: PageLink, state: Mapping[str, Any], trigger: Trigger
    ) -> str | None:
        """The id field of what is served, if only changes are to be asked for; else None."""
        options = link.link.fetch.incremental
        live = state["live_generation"]
        if options is None or trigger is not Trigger.SCHEDULE or not live or state["writing"]:
            return None
        if not state.get("cursor") or state["model"] != self._model:
            return None
        if time.time() - (state.get("full_at") or 0.0) > options.full_every_hours * 3600:
            return None
        found: str | None = state.get("id_field")
        return found


def made_of(link: PageLink, policy: Policy) -> str:
    """Stands for everything of the link and of the policy that an answer's text depends on."""
    own = link.link
    parts: list[Any] = [own.url, own.api_key, dict(own.headers), own.fetch.to_document()]
    parts += [own.type.value, dict(own.options), list(own.transform), dict(own.validation)]
    parts.append(str(policy))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def validators_of(fetched: Fetched) -> dict[str, Any]:
    """The facts of a link's state by which the source may say that nothing has changed."""
    found = fetched.validators
    return {"etag": found.etag, "last_modified": found.last_modified}
