"""The embedded engine: connections that are kept, and a lock that several processes wait for."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bson import ObjectId
from pymongo.errors import DuplicateKeyError

from core.settings import Settings
from core.store import Database, insert, open_store
from core.store.compact import compact
from core.store.connections import MOST_IDLE, Connections

COUNT = """
import sys
from pathlib import Path
from core.settings import Settings
from core.store import open_store
things = open_store(Settings(data_dir=Path(sys.argv[1])))["things"]
for _ in range(50):
    things.update_one({"_id": "a"}, {"$inc": {"n": 1}})
"""
HOLD = """
import sys
from pathlib import Path
from core.store.lock import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def opened(folder: Path) -> Database:
    return open_store(Settings(data_dir=folder))


def test_a_connection_that_was_kept_sees_what_others_wrote_since(tmp_path: Path) -> None:
    one, other = opened(tmp_path)["things"], opened(tmp_path)["things"]
    for number in range(5):
        insert(one, {"_id": str(number)})
        assert other.count_documents({}) == number + 1
        other.update_one({"_id": str(number)}, {"$set": {"seen": True}})
        assert one.count_documents({"seen": True}) == number + 1


@pytest.mark.parametrize("made", [lambda n: f"thing-{n}", lambda _: ObjectId()], ids=["str", "own"])
def test_what_is_looked_up_by_its_id_is_all_that_is_read(
    tmp_path: Path, made: Callable[[int], str | ObjectId]
) -> None:
    things = opened(tmp_path)["things"]
    ids = [made(number) for number in range(5)]
    for one in ids:
        insert(things, {"_id": one, "kind": "a", "n": 1})
    spoil_all_but(tmp_path, place=3)
    wanted, other = ids[3], {"_id": ids[3], "kind": "a"}
    assert things.find_one(other) == {"_id": wanted, "kind": "a", "n": 1}
    assert things.find_one({"_id": wanted, "kind": "b"}) is None
    assert list(things.find({"_id": {"$in": [wanted]}, "n": 1}, {"n": 1})) == [
        {"_id": wanted, "n": 1}
    ]
    assert things.count_documents(other) == 1
    assert things.update_one(other, {"$inc": {"n": 1}}).modified_count == 1
    claimed = things.find_one_and_update(other, {"$inc": {"n": 1}}, return_document=True)
    assert claimed is not None
    assert claimed["n"] == 3
    with pytest.raises(json.JSONDecodeError):
        things.find_one({"n": 3})


def spoil_all_but(folder: Path, place: int) -> None:
    """Make the documents of ``things`` such that whoever reads them fails, but for one."""
    with contextlib.closing(sqlite3.connect(folder / "store" / "crm.sqlite")) as connection:
        rows = [row for (row,) in connection.execute("SELECT rowid FROM things ORDER BY rowid")]
        del rows[place]
        connection.executemany("UPDATE things SET data = '{' WHERE rowid = ?", [(r,) for r in rows])
        connection.commit()


def test_a_refused_write_is_not_seen_by_the_next_operation(tmp_path: Path) -> None:
    things = opened(tmp_path)["things"]
    insert(things, {"_id": "a", "n": 1})
    for _ in range(3):
        with pytest.raises(DuplicateKeyError):
            insert(things, {"_id": "a", "n": 2})
        assert things.find_one({"_id": "a"}) == {"_id": "a", "n": 1}


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    things = opened(tmp_path)["things"]
    insert(things, {"_id": "a", "n": 0})
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert things.find_one({"_id": "a"}) == {"_id": "a", "n": 150}


def test_a_process_that_dies_with_the_lock_holds_up_nobody(tmp_path: Path) -> None:
    things = opened(tmp_path)["things"]
    command = [sys.executable, "-c", HOLD, str(tmp_path / "store")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        insert(things, {"_id": "a"})
    assert things.count_documents({}) == 1


def test_the_files_are_rewritten_beside_connections_that_are_kept(tmp_path: Path) -> None:
    database = opened(tmp_path)
    things = database["things"]
    insert(things, {"_id": "a", "text": "Zebulon" * 1000})
    insert(things, {"_id": "b"})
    things.delete_many({"_id": "a"})
    compact(database, tmp_path)
    stored = b"".join(p.read_bytes() for p in (tmp_path / "store").rglob("*") if p.is_file())
    assert b"Zebulon" not in stored
    insert(things, {"_id": "c"})
    assert [found["_id"] for found in things.find({}).sort("_id", 1)] == ["b", "c"]


def test_after_that_this_process_still_sees_what_others_write(tmp_path: Path) -> None:
    database = opened(tmp_path)
    things = database["things"]
    insert(things, {"_id": "a", "n": 0})
    compact(database, tmp_path)
    # A process that was the last one to have the file open would put its log away when it ends.
    for round_number in range(1, 4):
        subprocess.run([sys.executable, "-c", COUNT, str(tmp_path)], check=True, timeout=60)
        assert things.find_one({"_id": "a"}) == {"_id": "a", "n": 50 * round_number}


@pytest.fixture
def connections(tmp_path: Path) -> Connections:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "file.sqlite", check_same_thread=False)

    found = Connections(connect)
    first = found.borrow()
    first.execute("PRAGMA journal_mode=WAL")
    first.execute("CREATE TABLE things (n)")
    first.execute("INSERT INTO things VALUES (1), (2)")
    first.commit()
    first.close()
    return found


def test_a_statement_half_read_ends_when_its_connection_is_given_back(
    connections: Connections,
) -> None:
    reader = connections.borrow()
    half_read = reader.execute("SELECT n FROM things")
    assert half_read.fetchone() == (1,)
    writer = connections.borrow()
    reader.close()
    writer.execute("INSERT INTO things VALUES (3)")
    writer.commit()
    writer.close()
    # Both connections, whichever was the reader's.
    for borrowed in [connections.borrow(), connections.borrow()]:
        assert borrowed.execute("SELECT count(*) FROM things").fetchone() == (3,)
    with pytest.raises(sqlite3.ProgrammingError):
        half_read.fetchone()


def test_a_transaction_that_was_left_open_is_undone(connections: Connections) -> None:
    borrowed = connections.borrow()
    borrowed.execute("INSERT INTO things VALUES (3)")
    borrowed.close()
    assert connections.borrow().execute("SELECT count(*) FROM things").fetchone() == (2,)


def test_after_an_error_a_connection_is_closed_and_not_kept(connections: Connections) -> None:
    borrowed = connections.borrow()
    inner = borrowed.execute("SELECT 1").connection
    with pytest.raises(sqlite3.OperationalError), contextlib.closing(borrowed):
        borrowed.execute("SELECT n FROM nothing")
    with pytest.raises(sqlite3.ProgrammingError):
        inner.execute("SELECT 1")


def test_a_connection_given_back_is_no_longer_its_borrowers(connections: Connections) -> None:
    borrowed = connections.borrow()
    borrowed.close()
    borrowed.close()
    with pytest.raises(sqlite3.ProgrammingError):
        borrowed.execute("SELECT 1")
    one, other = connections.borrow(), connections.borrow()
    one.execute("INSERT INTO things VALUES (3)")
    assert other.execute("SELECT count(*) FROM things").fetchone() == (2,)


def test_no_more_connections_are_kept_than_are_useful(connections: Connections) -> None:
    borrowed = [connections.borrow() for _ in range(MOST_IDLE + 2)]
    inner = [one.execute("SELECT 1").connection for one in borrowed]
    for one in borrowed:
        one.close()

    def is_open(connection: sqlite3.Connection) -> bool:
        try:
            connection.execute("SELECT 1")
        except sqlite3.ProgrammingError:
            return False
        return True

    assert sum(is_open(one) for one in inner) == MOST_IDLE
