"""Refusing addresses as they are entered."""

from __future__ import annotations

from core.errors import AddressRefused, InvalidRequest
from core.security.network import AddressGuard


def check_web_address(url: str, guard: AddressGuard, *, field: str = "url") -> None:
    """Raise InvalidRequest, naming ``field``, unless ``url`` may be fetched."""
    try:
        guard.check_url(url)
        guard.check_name(url)
    except AddressRefused as refused:
        raise InvalidRequest(field, refused.message, action=refused.action) from None
