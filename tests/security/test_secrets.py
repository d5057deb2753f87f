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
    add_secret_key,
    check_env_reference,
    is_sealed,
    is_secret_header,
    load_secret_keys,
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
    first = load_secret_keys(tmp_path / "data")
    assert load_secret_keys(tmp_path / "data") == first
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


def test_a_rotated_key_opens_what_was_sealed_before_and_processes_notice(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    running = SecretBox(lambda: load_secret_keys(folder))
    before = running.seal("value")
    add_secret_key(folder)
    rotated = SecretBox(lambda: load_secret_keys(folder))
    after = rotated.seal("other")
    # The running process still has the old key in mind.
    assert running.open(after) == "other"
    assert running.open(before) == "value"
    resealed = rotated.reseal(before)
    add_secret_key(folder)
    add_secret_key(folder)
    with pytest.raises(SecretUnreadable):
        SecretBox(lambda: load_secret_keys(folder)).open(resealed)


def test_a_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    box = SecretBox("a key")
    monkeypatch.setenv("SHOP_TOKEN", "value-1")
    assert box.open("env:SHOP_TOKEN") == "value-1"
    monkeypatch.delenv("SHOP_TOKEN")
    with pytest.raises(SecretUnreadable, match="SHOP_TOKEN is not set"):
        box.open("env:SHOP_TOKEN")


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "secret_key", "ADMIN_PASSWORD", "MONGODB_URI", "LLM_API_KEY", "PATH"]
)
def test_a_link_can_not_carry_off_the_desks_own_settings(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "the desk's own")
    with pytest.raises(ValueError, match="a setting of the desk itself"):
        check_env_reference(f"env:{name}")
    with pytest.raises(SecretUnreadable):
        SecretBox("a key").open(f"env:{name}")
