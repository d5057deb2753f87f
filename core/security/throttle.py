"""Slowing down whoever tries passwords (collection ``login_failures``).

Failures count per account and per address, whether the account exists or not. From a limit on, each
further one doubles a pause in which no password is looked at; a quarter of an hour without one
forgets them. Names are kept hashed: people type passwords into the wrong field.
"""

from __future__ import annotations

import hashlib
import time

from core.errors import TooManyAttempts
from core.store import Database

ACCOUNT_LIMIT = 10
# Many people may share an address.
ADDRESS_LIMIT = 50
FORGET_SECONDS = 900.0
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 900.0


class LoginThrottle:
    """Counts wrong passwords, for all processes together."""

    def __init__(self, database: Database) -> None:
        self._failures = database["login_failures"]

    def check(self, username: str, address: str) -> None:
        """Raise TooManyAttempts when the account or the address has to wait."""
        now = time.time()
        for key, _ in _keys(username, address):
            found = self._failures.find_one({"_id": key})
            if found is not None and found["until"] > now:
                raise TooManyAttempts(
                    "Too many wrong passwords.",
                    retry_after=int(found["until"] - now) + 1,
                    action=f"Try again in {int(found['until'] - now) + 1} seconds.",
                )

    def failed(self, username: str, address: str) -> None:
        """Count a wrong password."""
        now = time.time()
        self._failures.delete_many({"at": {"$lt": now - FORGET_SECONDS}})
        for key, limit in _keys(username, address):
            self._failures.update_one(
                {"_id": key}, {"$inc": {"count": 1}, "$set": {"at": now}}, upsert=True
            )
            found = self._failures.find_one({"_id": key})
            over = (found["count"] if found else 0) - limit
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**over) if over >= 0 else 0.0
            self._failures.update_one({"_id": key}, {"$set": {"until": now + pause}})

    def succeeded(self, username: str) -> None:
        """Forget the account's failures; those of the address stay."""
        self._failures.delete_many({"_id": _account_key(username)})


def _account_key(username: str) -> str:
    return "account:" + hashlib.sha256(username.encode()).hexdigest()


def _keys(username: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
    return (_account_key(username), ACCOUNT_LIMIT), (f"address:{address}", ADDRESS_LIMIT)
