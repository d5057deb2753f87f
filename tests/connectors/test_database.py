"""Database links: the rows of a query that can only read, on real servers."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import make_url

from core.connectors.database import rows
from core.errors import ConnectionFailed, QueryRefused, TimedOut
from tests.product import Client, Product
from tests.servers.databases import HOST, PASSWORD, mariadb, postgresql
from tests.waiting import until

POSTGRESQL = """
CREATE TABLE customers (id serial PRIMARY KEY, name text, balance numeric(10,2), born date,
                        seen timestamptz, tags jsonb, photo bytea, note text);
INSERT INTO customers (name, balance, born, seen, tags, photo)
VALUES ('Jürgen Groß', 12.50, '1980-02-29', '2026-01-02 03:04:05+00', '{"vip": true}', 'ab');
INSERT INTO customers (name) SELECT 'Person ' || n FROM generate_series(1, 519) AS n;
CREATE FUNCTION sneaky() RETURNS integer LANGUAGE sql VOLATILE AS
  $$ INSERT INTO customers (name) VALUES ('Mallory') RETURNING id $$;
"""
MARIADB = """
CREATE TABLE customers (id int PRIMARY KEY AUTO_INCREMENT, name varchar(100) CHARACTER SET utf8mb4,
                        balance decimal(10,2), born date);
INSERT INTO customers (name, balance, born) VALUES ('Jurgen Gross', 12.50, '1980-02-29');
INSERT INTO customers (name) SELECT CONCAT('Person ', seq) FROM seq_1_to_519;
"""
ALL = "SELECT * FROM customers ORDER BY id"


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    with postgresql(POSTGRESQL) as one, mariadb(MARIADB) as two:
        yield {"postgresql": one, "mysql": two}


@pytest.fixture(scope="module")
def sqlite_file(product: Product) -> str:
    folder = Path(product.environment["SQLITE_DIR"])
    folder.mkdir(exist_ok=True)
    with sqlite3.connect(folder / "shop.sqlite") as connection:
        connection.execute(
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, balance REAL)"
        )
        connection.execute("INSERT INTO customers VALUES (1, 'Jürgen Groß', 12.5)")
        connection.executemany(
            "INSERT INTO customers (name) VALUES (?)", [(f"Person {n}",) for n in range(1, 520)]
        )
    connection.close()
    return "sqlite:///shop.sqlite"


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def address(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_file"))
    servers: dict[str, str] = request.getfixturevalue("servers")
    return servers[request.param]


def add(api: Client, page_id: str, url: str, query: str = ALL, **fields: Any) -> dict[str, Any]:
    options = {"query": query} | fields.pop("options", {})
    fields = {"api_key": PASSWORD} | fields
    return api.add_link(page_id, url, type="database", options=options, **fields)


def test_the_rows_become_records(api: Client, page_id: str, address: str) -> None:
    link = add(api, page_id, address)
    run = api.ended_run(link["link_id"], seconds=90)
    assert (run["state"], run["counts"]["records"]) == ("succeeded", 520), run
    texts = "\n".join(api.texts(page_id))
    assert "rows[0].name: J" in texts
    assert "rows[519].name: Person 519" in texts
    assert "rows[0].balance: 12.5" in texts


def test_each_type_of_postgresql_has_a_plain_text(
    api: Client, page_id: str, servers: dict[str, str]
) -> None:
    link = add(api, page_id, servers["postgresql"], ALL + " LIMIT 1")
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    text = "\n".join(api.texts(page_id))
    for line in (
        "rows[0].name: Jürgen Groß",
        "rows[0].balance: 12.50",
        "rows[0].born: 1980-02-29",
        "rows[0].tags.vip: true",
        "rows[0].photo: 6162",
        "rows[0].note: null",
    ):
        assert line in text
    assert "rows[0].seen: 2026-01-02" in text


WRITES = [
    "INSERT INTO customers (name) VALUES ('Mallory')",
    "UPDATE customers SET name = 'Mallory'",
    "DELETE FROM customers",
    "DROP TABLE customers",
    "CREATE TABLE mine (id int)",
    "SELECT 1; DELETE FROM customers",
    "SELECT 1; COMMIT; DELETE FROM customers",
    "COMMIT",
]
OWN_WRITES = {
    "postgresql": [
        "INSERT INTO customers (name) VALUES ('Mallory') RETURNING id",
        "WITH gone AS (DELETE FROM customers RETURNING id) SELECT * FROM gone",
        "SELECT sneaky()",
        "SELECT set_config('transaction_read_only', 'off', false), sneaky()",
        "SET default_transaction_read_only = off",
        "SELECT 1; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; COMMIT; SELECT sneaky()",
        "COPY customers TO PROGRAM 'touch /tmp/desk-was-here'",
        "SELECT 1 FROM customers FOR UPDATE",
    ],
    "mysql": [
        "SET SESSION TRANSACTION READ WRITE; DELETE FROM customers",
        "SET SESSION TRANSACTION READ WRITE",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE customers",
    ],
    "sqlite": [
        "ATTACH DATABASE 'other.sqlite' AS other",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "VACUUM INTO 'copy.sqlite'",
        "SELECT load_extension('x')",
        "INSERT INTO customers (name) VALUES ('Mallory') RETURNING id",
    ],
}


def test_no_statement_writes(api: Client, page_id: str, address: str) -> None:
    kind = address.partition(":")[0]
    went_through = []
    for number, query in enumerate(WRITES + OWN_WRITES[kind]):
        own = api.add_page()
        link = add(api, own, address, query, name=f"Write {number}")
        run = api.ended_run(link["link_id"])
        if run["state"] != "failed" or run["error"]["kind"] != "query":
            went_through.append((query, run["state"], run["error"]))
        api.delete_links(own)
    assert went_through == []
    link = add(api, page_id, address, "SELECT count(*) AS n FROM customers")
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    assert any("rows[0].n: 520" in text for text in api.texts(page_id)), "something was written"
    assert not Path("/tmp/desk-was-here").exists()


def test_a_wrong_password_is_said_in_plain_words(
    api: Client, page_id: str, servers: dict[str, str]
) -> None:
    for url in servers.values():
        link = add(api, page_id, url, api_key="wrong-password-canary")
        run = api.ended_run(link["link_id"])
        assert (run["state"], run["error"]["kind"]) == ("failed", "query")
        assert "does not accept the user or the password" in run["error"]["message"]
        assert "canary" not in api.get(f"/dashboard/sync/runs/{run['run_id']}").text


def test_a_slip_in_the_query_is_told_as_the_database_tells_it(
    api: Client, page_id: str, address: str
) -> None:
    link = add(api, page_id, address, "SELECT nme FROM customers")
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "query")
    assert "nme" in run["error"]["message"]


def test_more_rows_than_allowed_fail_and_keep_what_is_served(
    api: Client, page_id: str, address: str
) -> None:
    link = add(api, page_id, address, options={"max_rows": 519})
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "limit")
    assert "more than 519 rows" in run["error"]["message"]


ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(600)",
    "mysql": "SELECT SLEEP(600)",
}


def test_a_query_that_does_not_end_can_be_cancelled(
    api: Client, page_id: str, address: str
) -> None:
    link = add(api, page_id, address, ENDLESS[address.partition(":")[0]])
    until(lambda: api.runs(link["link_id"])[0]["state"] == "running", "the run to begin")
    run_id = api.runs(link["link_id"])[0]["run_id"]
    api.post(f"/dashboard/sync/runs/{run_id}/cancel", {})
    assert api.ended_run(link["link_id"])["state"] == "cancelled"


@pytest.fixture(scope="module")
def hasty(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that gives a fetch three seconds."""
    names = ("CRM_ALLOWED_HOSTS", "SQLITE_DIR")
    environment = {name: product.environment[name] for name in names}
    running = Product(
        tmp_path_factory.mktemp("hasty"), environment | {"FETCH_TIMEOUT_SECONDS": "3"}
    )
    try:
        running.start_all()
        yield running
    finally:
        running.stop()


def test_a_query_that_does_not_end_is_ended_in_time(hasty: Product, address: str) -> None:
    own = hasty.sign_in()
    link = add(own, own.add_page(), address, ENDLESS[address.partition(":")[0]])
    run = own.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "timeout"), run["error"]
    assert "took too long" in run["error"]["message"]


class _Deaf:
    """Between the product and a database, until the query comes: that is never answered."""

    def __init__(self, url: str) -> None:
        self._to = make_url(url)
        self._server = socket.create_server((HOST, 0))
        self._open: list[socket.socket] = [self._server]
        self.url = str(self._to.set(port=self._server.getsockname()[1]))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection((HOST, self._to.port or 0))
                self._open += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and b"FROM customers" not in data:
                sink.sendall(data)

    def close(self) -> None:
        for one in self._open:
            one.close()


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_database_that_falls_silent_in_mid_query_is_told_as_one_that_takes_too_long(
    hasty: Product, servers: dict[str, str], kind: str
) -> None:
    deaf = _Deaf(servers[kind])
    try:
        own = hasty.sign_in()
        link = add(own, own.add_page(), deaf.url)
        run = own.ended_run(link["link_id"])
        assert (run["state"], run["error"]["kind"]) == ("failed", "timeout"), run["error"]
        assert run["retry_at"] is not None
    finally:
        deaf.close()


@pytest.mark.parametrize(
    ("number", "state", "expected"),
    [
        (1205, "HY000", ConnectionFailed),
        (1213, "40001", ConnectionFailed),
        (1040, "08004", ConnectionFailed),
        (1054, "42S22", QueryRefused),
        (1370, "HY000", QueryRefused),
        (3024, "HY000", TimedOut),
    ],
)
def test_a_lock_that_was_waited_for_is_no_fault_of_the_query(
    number: int, state: str, expected: type[Exception]
) -> None:
    packet = b"\xff" + number.to_bytes(2, "little") + f"#{state}as the server says it".encode()
    with pytest.raises(pymysql.err.MySQLError) as raised:
        pymysql.err.raise_mysql_exception(packet)
    assert type(rows._explain(raised.value, connected=True)) is expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://reader:secret@db.example.com/shop", "carries a password"),
        ("postgresql://reader@db.example.com/shop?sslmode=disable", "carries options"),
        ("postgresql://reader@10.0.0.1/shop", "url"),
        ("postgresql://reader@localhost/shop", "url"),
        ("mysql://reader@0x7f000001/shop", "url"),
        ("mysql://reader@169.254.169.254/shop", "url"),
        ("oracle://reader@db.example.com/shop", "names no PostgreSQL"),
        ("postgresql:///shop?host=/var/run/postgresql", "carries options"),
        ("postgresql:///shop", "names no PostgreSQL"),
        ("not a url", "not a database's address"),
    ],
)
def test_an_address_that_may_not_be_connected_to_is_refused_as_it_is_entered(
    api: Client, page_id: str, url: str, words: str
) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "x",
        "url": url,
        "type": "database",
        "options": {"query": "SELECT 1"},
    }
    answer = api.post("/dashboard/crm-links", body)
    assert answer.status_code == 422
    assert words in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize("name", ["../store/crm.sqlite", "/etc/passwd", "none.sqlite", ""])
def test_no_other_file_is_read_as_sqlite(api: Client, page_id: str, name: str) -> None:
    link = add(api, page_id, f"sqlite:///{name}", "SELECT 1")
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "address")


class _Hostile:
    """Takes connections and says ``greeting``, or nothing at all."""

    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting
        self._server = socket.create_server((HOST, 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._server.getsockname()[1]
        return port

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            with contextlib.suppress(OSError):
                connection.sendall(self._greeting)

    def close(self) -> None:
        for one in (self._server, *self._open):
            one.close()


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 200 OK\r\n\r\n" * 50, b"\xff" * 4096])
def test_something_that_is_no_database_fails_the_run_in_time(
    api: Client, page_id: str, kind: str, greeting: bytes
) -> None:
    hostile = _Hostile(greeting)
    try:
        link = add(api, page_id, f"{kind}://reader@{HOST}:{hostile.port}/shop", "SELECT 1")
        run = api.ended_run(link["link_id"], seconds=60)
        assert run["state"] == "failed"
        assert run["error"]["kind"] in ("connect", "query", "timeout"), run["error"]
    finally:
        hostile.close()


def test_a_server_that_is_not_there_is_tried_again(api: Client, page_id: str) -> None:
    link = add(api, page_id, f"postgresql://reader@{HOST}:1/shop", "SELECT 1")
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "connect")
    assert run["retry_at"] is not None
