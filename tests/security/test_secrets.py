"""Encryption at rest."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.security.secrets import (
    SecretBox,
    SecretUnreadable,
    is_sealed,
    is_secret_header,
    load_secret_key,
)


@given(st.text())
def test_what_is_sealed_comes_back_and_does_not_show(value: str) -> None:
    box = SecretBox("a key")
    sealed = box.seal(value)
    assert is_sealed(sealed)
    assert box.open(sealed) == value
    assert len(value) < 8 or value not in sealed


def test_another_key_can_not_open_it_and_says_what_to_do() -> None:
    with pytest.raises(SecretUnreadable, match="SECRET_KEY"):
        SecretBox("other").open(SecretBox("one").seal("value"))


def test_the_generated_key_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    first = load_secret_key(tmp_path / "data")
    assert load_secret_key(tmp_path / "data") == first
    mode = stat.S_IMODE((tmp_path / "data" / "secret.key").stat().st_mode)
    assert mode == 0o600


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("Authorization", "x", True),
        ("X-Api-Key", "x", True),
        ("X-Shopify-Access-Token", "x", True),
        ("Cookie", "a=b", True),
        ("X-Custom", "a8f5f167f44f4964e6c998dee827110c", True),
        ("Accept-Language", "en", False),
        ("X-Tenant", "acme", False),
    ],
)
def test_secret_headers_are_known_by_name_or_by_shape(name: str, value: str, secret: bool) -> None:
    assert is_secret_header(name, value) is secret
