"""Giving back what deleted documents leave behind in the embedded store's files."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from core.store.interface import Database
from core.store.lock import file_lock


def compact(_: Database, data_dir: Path) -> None:
    """Rewrite the embedded store's files without their free pages; MongoDB does that itself.

    SQLite leaves the bytes of a deleted row in a free page until something overwrites them.

    Raises sqlite3.OperationalError when that did not succeed within half a minute.
    """
    folder = data_dir / "store"
    if not folder.exists():
        return
    # Writers wait instead of finding the file busy.
    with file_lock(folder):
        # By name: to open and close such a file, if only to look at it, takes away all locks that
        # this process has on it (POSIX), and with them what its open connections rely on.
        for path in sorted(folder.glob("*.sqlite")):
            with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
                connection.isolation_level = None
                _run(connection, "VACUUM")
                # The old pages are in the write-ahead log until it is emptied, too.
                ((is_busy, *_),) = _run(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
                if is_busy:
                    raise sqlite3.OperationalError(f"{path.name} is being read all the time")


def _run(connection: sqlite3.Connection, statement: str) -> list[Any]:
    return connection.execute(statement).fetchall()
