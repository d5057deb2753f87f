"""Trying passwords gets slow, for accounts and addresses, known or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import time_machine

from core.errors import NotSignedIn, TooManyAttempts
from core.security.accounts import Accounts
from core.security.throttle import ACCOUNT_LIMIT, ADDRESS_LIMIT
from core.security.tokens import ServiceTokens
from core.settings import Settings
from core.store import open_store
from tests.product import Product

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    database = open_store(Settings(data_dir=tmp_path))
    made = Accounts(database, session_hours=12, tokens=ServiceTokens(database))
    made.ensure_admin("admin", "the right password", lambda *_: None)
    return made


def fail(accounts: Accounts, name: str, times: int, address: str = "1.1.1.1") -> None:
    for _ in range(times):
        with pytest.raises(NotSignedIn):
            accounts.sign_in(name, "wrong", address)


@pytest.mark.parametrize("name", ["admin", "nobody"])
def test_an_account_waits_longer_with_each_further_failure_whether_it_exists_or_not(
    accounts: Accounts, name: str
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        fail(accounts, name, ACCOUNT_LIMIT)
        with pytest.raises(TooManyAttempts) as first:
            accounts.sign_in(name, "wrong", "2.2.2.2")
        clock.move_to(START + timedelta(seconds=first.value.retry_after))
        fail(accounts, name, 1)
        with pytest.raises(TooManyAttempts) as second:
            accounts.sign_in(name, "wrong", "2.2.2.2")
        assert second.value.retry_after > first.value.retry_after
        assert str(first.value).startswith("Too many wrong passwords. Try again in ")


def test_the_right_password_does_not_get_through_a_pause_but_afterwards(
    accounts: Accounts,
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        fail(accounts, "admin", ACCOUNT_LIMIT)
        with pytest.raises(TooManyAttempts) as pause:
            accounts.sign_in("admin", "the right password", "1.1.1.1")
        clock.move_to(START + timedelta(seconds=pause.value.retry_after))
        assert accounts.sign_in("admin", "the right password", "1.1.1.1").token
        fail(accounts, "admin", ACCOUNT_LIMIT)  # counted from nothing again


def test_an_address_that_tries_many_names_waits_and_others_do_not(accounts: Accounts) -> None:
    for number in range(ADDRESS_LIMIT):
        fail(accounts, f"name-{number}", 1, "6.6.6.6")
    with pytest.raises(TooManyAttempts):
        accounts.sign_in("admin", "the right password", "6.6.6.6")
    assert accounts.sign_in("admin", "the right password", "7.7.7.7").token


def test_failures_are_forgotten_after_a_quarter_of_an_hour(accounts: Accounts) -> None:
    with time_machine.travel(START, tick=False) as clock:
        fail(accounts, "admin", ACCOUNT_LIMIT - 1)
        clock.move_to(START + timedelta(minutes=16))
        fail(accounts, "admin", ACCOUNT_LIMIT - 1)


def test_the_form_and_the_api_say_when_to_try_again(product: Product) -> None:
    body = {"username": "throttled-name", "password": "wrong"}
    for _ in range(ACCOUNT_LIMIT):
        answer = requests.post(f"{product.address}/api/auth/login", json=body, timeout=10)
        assert answer.status_code == 401
    api = requests.post(f"{product.address}/api/auth/login", json=body, timeout=10)
    form = requests.post(f"{product.address}/login", data=body, timeout=10)
    assert (api.status_code, form.status_code) == (429, 429)
    assert int(api.headers["Retry-After"]) >= 1
    assert int(form.headers["Retry-After"]) >= 1
    assert "Too many wrong passwords" in api.json()["detail"]
    assert "Too many wrong passwords" in form.text
