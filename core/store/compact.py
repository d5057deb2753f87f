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
    """
    folder = data_dir / "store"
    if not folder.exists():
        return
    # Writers wait instead of finding the file busy.
    with file_lock(folder):
        for path in sorted(folder.glob("**/*")):
            if not path.is_file() or not _is_sqlite(path):
                continue
            with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
                connection.isolation_level = None
                _run(connection, "VACUUM")
                _run(connection, "PRAGMA wal_checkpoint(TRUNCATE)")


def _run(connection: sqlite3.Connection, statement: str) -> Any:
    return connection.execute(statement).fetchall()


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\x00"
