"""The secrets of a link: encrypting them, keeping stored ones in an edit, hiding them.

Secret are the API key, headers and query parameters that look it, and the options that the
connector of the link's type names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from core.connectors.registry import connector_of
from core.errors import InvalidRequest
from core.links.described import NewLink
from core.models import CrmLink, LinkType
from core.security.secrets import (
    MASK,
    SecretBox,
    is_env_reference,
    is_sealed,
    is_secret_header,
)
from core.store import Document


class LinkSecrets:
    """Encrypts and compares the secrets of links."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def sealed_key(self, new: NewLink, stored: CrmLink | None) -> str | None:
        """The API key as it is to be stored; a masked one is that of ``stored``."""
        if new.api_key == MASK:
            return stored.api_key if stored else None
        return self._seal(new.api_key) if new.api_key else None

    def sealed(self, values: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
        """Headers or parameters, with the secret ones encrypted; masked ones as ``stored``."""
        sealed = {}
        for name, value in values.items():
            if value == MASK and name in stored:
                sealed[name] = stored[name]
            else:
                sealed[name] = self._box.seal(value) if is_secret_header(name, value) else value
        return sealed

    def sealed_options(self, new: NewLink, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The connector's options, with the secret ones encrypted; masked ones as ``stored``."""
        secret = connector_of(new.type).secret_options
        sealed = dict(new.options)
        for name in secret & sealed.keys():
            if sealed[name] == MASK:
                sealed[name] = stored.get(name)
            elif sealed[name]:
                sealed[name] = self._seal(sealed[name])
        return {name: value for name, value in sealed.items() if value is not None}

    def check_destination(self, new: NewLink, stored: CrmLink) -> None:
        """Refuse stored secrets for an address on another host than they were entered for.

        Else whoever may edit a link could have a key, which nobody may see, sent to themselves.
        Raises InvalidRequest.
        """
        if self.lead_elsewhere(new, stored):
            raise InvalidRequest(
                "url",
                "The address leads to another host than the stored secrets were entered for.",
                action="Enter the key and the secret headers, parameters and options again.",
            )

    def lead_elsewhere(self, new: NewLink, stored: CrmLink) -> bool:
        """Whether ``new`` would send a stored secret, masked in it, to another host."""
        pairs = (
            (new.headers, stored.headers),
            (new.fetch.params, stored.fetch.params),
            (new.options, stored.options),
        )
        keeps = (new.api_key == MASK and bool(stored.api_key)) or any(
            value == MASK and name in before
            for values, before in pairs
            for name, value in values.items()
        )
        return keeps and not destinations(new) <= destinations(stored)

    def unmasked(self, new: NewLink, draft: CrmLink) -> NewLink:
        """``new`` with its masked secrets as those of ``draft``, in the clear.

        Raises InvalidRequest when they would go to another host.
        """
        self.check_destination(new, draft)
        key = new.api_key
        if key == MASK:
            key = self._said(draft.api_key)

        def opened(values: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: self._said(stored[name]) if value == MASK and name in stored else value
                for name, value in values.items()
            }

        params = opened(new.fetch.params, draft.fetch.params)
        return replace(
            new,
            api_key=key,
            headers=opened(new.headers, draft.headers),
            fetch=replace(new.fetch, params=params),
            options=opened(new.options, draft.options),
        )

    def has_others(self, link: CrmLink, new: NewLink) -> bool:
        """Whether ``new`` brings a secret that is not the stored one; masks bring none."""
        pairs: list[tuple[Any, Any]] = [(link.api_key, new.api_key)] if new.api_key else []
        for stored, fresh in ((link.headers, new.headers), (link.fetch.params, new.fetch.params)):
            pairs += [(stored[name], value) for name, value in fresh.items() if name in stored]
        for name in connector_of(new.type).secret_options & new.options.keys():
            pairs.append((link.options.get(name), new.options[name]))
        return any(fresh not in (MASK, self._said(was)) for was, fresh in pairs)

    def is_same_source(self, link: CrmLink, new: NewLink) -> bool:
        """Whether both ask the same thing in the same way."""
        fetch = replace(link.fetch, params=self._all_said(link.fetch.params))
        own = (self._said(link.api_key), self._all_said(link.headers), fetch, self._options(link))
        return (link.type, *own) == (
            new.type,
            new.api_key or None,
            dict(new.headers),
            replace(new.fetch, params=dict(new.fetch.params)),
            {name: value for name, value in new.options.items() if value is not None},
        )

    def seal_stored(self, entry: Document) -> None:
        """Encrypt what a stored link, of before secrets were encrypted, holds in the clear."""
        if entry.get("api_key") and not _is_safe(entry["api_key"]):
            entry["api_key"] = self._box.seal(entry["api_key"])
        entry["headers"] = {
            name: self._box.seal(value) if _clear_header(name, value) else value
            for name, value in (entry.get("headers") or {}).items()
        }

    def _seal(self, value: str) -> str:
        return value if is_env_reference(value) else self._box.seal(value)

    def _said(self, stored: str | None) -> str | None:
        """What a person entered: the secret, or the variable that holds it."""
        if not stored or is_env_reference(stored):
            return stored or None
        return self._box.open(stored)

    def _all_said(self, stored: Mapping[str, str]) -> dict[str, str]:
        return {name: self._said(value) or "" for name, value in stored.items()}

    def _options(self, link: CrmLink) -> dict[str, Any]:
        secret = connector_of(link.type).secret_options
        return {
            name: self._said(value) if name in secret else value
            for name, value in link.options.items()
        }


def destinations(link: CrmLink | NewLink) -> frozenset[tuple[str, str]]:
    """Scheme and host of each address that a link's secrets go to: none for a webhook."""
    if link.type is LinkType.WEBHOOK:
        return frozenset()
    parts = [urlsplit(str(url)) for url in (link.url, link.options.get("token_url")) if url]
    return frozenset((part.scheme.lower(), part.netloc.lower()) for part in parts)


def map_secrets(entry: Document, change: Callable[[str], str]) -> None:
    """Put ``change`` of each stored secret of a link's document into its place."""
    if entry.get("api_key"):
        entry["api_key"] = change(entry["api_key"])
    if entry.get("headers"):
        entry["headers"] = {name: change(value) for name, value in entry["headers"].items()}
    fetch = entry.get("fetch")
    if fetch and fetch.get("params"):
        fetch["params"] = {name: change(v) for name, v in fetch["params"].items()}
    options = entry.get("options") or {}
    if options and entry.get("type") in set(LinkType):
        for name in connector_of(LinkType(entry["type"])).secret_options & options.keys():
            options[name] = change(options[name])


def is_in_the_clear(link: CrmLink) -> bool:
    """Whether a stored link holds a secret that is not encrypted."""
    return bool(link.api_key and not _is_safe(link.api_key)) or any(
        _clear_header(name, value) for name, value in link.headers.items()
    )


def shown_secret(stored: str | None) -> str | None:
    """What may be shown of a stored secret: the mask, or the variable that holds it."""
    if stored and is_env_reference(stored):
        return stored
    return MASK if stored else None


def public_headers(link: CrmLink) -> dict[str, str]:
    """The link's headers, secret values masked."""
    return masked(link.headers)


def masked(values: Mapping[str, str]) -> dict[str, str]:
    """Headers or parameters, secret values masked."""
    return {
        name: MASK if is_sealed(value) or is_secret_header(name, value) else value
        for name, value in values.items()
    }


def masked_options(link: CrmLink) -> dict[str, Any]:
    """The connector's options, secret ones masked."""
    secret = connector_of(link.type).secret_options
    return {
        name: shown_secret(value) if name in secret else value
        for name, value in link.options.items()
    }


def _is_safe(value: str) -> bool:
    """Whether a stored key may stay as it is: encrypted, or the name of a variable."""
    return is_sealed(value) or is_env_reference(value)


def _clear_header(name: str, value: str) -> bool:
    return is_secret_header(name, value) and not is_sealed(value)
