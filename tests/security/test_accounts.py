"""Accounts and sessions over the real embedded store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from core.errors import NotSignedIn
from core.security.accounts import Accounts
from core.security.roles import Role
from core.security.tokens import ServiceTokens
from core.settings import Settings
from core.store import Database, open_store


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_store(Settings(data_dir=tmp_path))


def accounts_with_admin(database: Database) -> Accounts:
    accounts = Accounts(database, session_hours=12, tokens=ServiceTokens(database))
    accounts.ensure_admin("admin", "right", lambda *_: None)
    return accounts


def test_a_session_ends_when_its_time_is_over(database: Database) -> None:
    accounts = accounts_with_admin(database)
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False) as clock:
        session = accounts.sign_in("admin", "right", "here")
        assert session.expires_at == datetime(2026, 1, 1, 12, tzinfo=UTC)
        clock.shift(timedelta(hours=11, minutes=59))
        assert accounts.user_of(session.token).role is Role.ADMIN
        clock.shift(timedelta(minutes=1))
        with pytest.raises(NotSignedIn):
            accounts.user_of(session.token)


def test_passwords_and_tokens_are_stored_hashed(database: Database) -> None:
    accounts = accounts_with_admin(database)
    token = accounts.sign_in("admin", "right", "here").token
    stored = database["accounts"].find_one({"_id": "admin"})
    assert stored is not None
    assert stored["password_hash"].startswith("$argon2id$")
    assert all(token not in str(session) for session in database["sessions"].find({}))


def test_the_first_password_is_generated_and_announced_once(database: Database) -> None:
    announced: list[tuple[str, str]] = []
    for _ in range(2):
        accounts = Accounts(database, 12, ServiceTokens(database))
        accounts.ensure_admin("admin", None, lambda *said: announced.append(said))
    assert len(announced) == 1
    accounts.sign_in(*announced[0], "here")


def test_a_later_admin_password_does_not_replace_the_account(database: Database) -> None:
    accounts = accounts_with_admin(database)
    accounts.ensure_admin("admin", "other", lambda *_: None)
    with pytest.raises(NotSignedIn):
        accounts.sign_in("admin", "other", "here")
    accounts.sign_in("admin", "right", "here")
