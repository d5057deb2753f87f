"""Connections to databases that can do nothing but read.

Writing is refused by the session, whatever the query says: PostgreSQL and MySQL run it in a
read-only transaction; SQLite opens the file read-only, and its authorizer lets nothing but reading
through (no ATTACH, so no other file). The address is checked as for HTTP: the name is resolved
once, and exactly the checked address is connected to, with TLS unless the host is allowed to go
without.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import certifi

from core.connectors.http import CONNECT_SECONDS
from core.connectors.interface import Context
from core.errors import AddressRefused, ConnectionFailed
from core.security.network import Target, resolve

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_EXAMPLE = "Write it like postgresql://reader@db.example.com:5432/shop."
# How many seconds longer than a run may take a connection is waited for that nothing else ended.
_LAST_RESORT = 30
# SQLite's virtual machine stops so often, in instructions, to ask whether it may go on.
_ASK_EVERY = 10_000
# PostgreSQL 14 can notice that a client has gone while it works on a query.
_CHECKS_CLIENTS = 140_000
_READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}


@dataclass(frozen=True)
class Address:
    """A database's address; ``target`` is None for a file."""

    url: URL
    dialect: str
    target: Target | None


def parse_database_url(text: str) -> Address:
    """What ``text`` names. Raises AddressRefused for no database's URL, or one with a password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise AddressRefused("That is not a database's address.", action=_EXAMPLE) from None
    dialect = url.drivername.partition("+")[0]
    dialect = {"postgres": "postgresql"}.get(dialect, dialect)
    if url.password is not None:
        raise AddressRefused(
            "The address carries a password.",
            action="Put it into the API key, where it is kept encrypted.",
        )
    if url.query:
        raise AddressRefused("The address carries options (after the ?).", action="Leave them out.")
    if dialect == "sqlite":
        return Address(url, dialect, None)
    if dialect not in _PORTS or not url.host or not url.database:
        raise AddressRefused(
            "The address names no PostgreSQL, MySQL or SQLite database.", action=_EXAMPLE
        )
    return Address(
        url, dialect, Target("https", url.host.lower().rstrip("."), url.port or _PORTS[dialect])
    )


@contextlib.contextmanager
def reading_engine(text: str, password: str, context: Context) -> Iterator[Engine]:
    """An engine of one connection, which only reads, under the context's watch.

    Raises AddressRefused, ConnectionFailed.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    address = parse_database_url(text)
    opened: list[socket.socket] = []

    def connect() -> Any:
        if address.target is None:
            return _sqlite(address, context)
        ip = _checked(address.target, context)
        connection, own = (_postgresql if address.dialect == "postgresql" else _mysql)(
            address, ip, password, context
        )
        opened.append(own)
        context.watch.register(own)
        return connection

    drivers = {"postgresql": "postgresql+psycopg://", "sqlite": "sqlite://"}
    engine = create_engine(
        drivers.get(address.dialect, "mysql+pymysql://"), creator=connect, poolclass=NullPool
    )
    try:
        yield engine
    finally:
        engine.dispose()
        for own in opened:
            own.close()


def _checked(target: Target, context: Context) -> str:
    """The address to connect to. Raises AddressRefused, ConnectionFailed."""
    context.guard.check_url(f"https://{target.origin}/")
    try:
        addresses = resolve(target, timeout=min(CONNECT_SECONDS, context.watch.seconds_left()))
    except (OSError, TimeoutError):
        raise ConnectionFailed(
            "dns",
            f"There is no host named {target.host}.",
            action="Check the spelling of the address.",
        ) from None
    for address in addresses:
        context.guard.check_address(target, address)
    return addresses[0]


def trusted_authorities() -> str:
    """The file of those whose certificates hold: as for HTTPS, or what ``SSL_CERT_FILE`` names.

    psycopg's own build looks for the system's in a folder that there is nowhere.
    """
    return os.environ.get("SSL_CERT_FILE") or certifi.where()


def _seconds(context: Context) -> int:
    return min(int(CONNECT_SECONDS), _seconds_left(context))


def _seconds_left(context: Context) -> int:
    return max(1, int(context.watch.seconds_left()))


def _postgresql(address: Address, ip: str, password: str, context: Context) -> Any:
    import psycopg

    assert address.target is not None
    is_open = context.guard.is_allowed_host(address.target)
    tls: dict[str, Any] = (
        {"sslmode": "prefer"}
        if is_open
        else {"sslmode": "verify-full", "sslrootcert": trusted_authorities()}
    )
    limit = max(1, int(context.watch.seconds_left() * 1000))
    connection = psycopg.connect(
        host=address.target.host,
        hostaddr=ip,
        port=address.target.port,
        user=address.url.username,
        password=password or None,
        dbname=address.url.database,
        connect_timeout=_seconds(context),
        application_name="crm-desk",
        options=f"-c default_transaction_read_only=on -c statement_timeout={limit}",
        # Neither the process's password file nor its service file is anybody else's business.
        passfile=os.devnull,
        gssencmode="disable",
        **tls,
    )
    if connection.info.server_version >= _CHECKS_CLIENTS:
        # Else a query goes on, after its run was cut off, until it has something to send.
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT set_config('client_connection_check_interval', '2s', false)")
        connection.commit()
    connection.read_only = True
    return connection, socket.socket(fileno=os.dup(connection.fileno()))


def _mysql(address: Address, ip: str, password: str, context: Context) -> Any:
    import pymysql

    assert address.target is not None
    is_open = context.guard.is_allowed_host(address.target)
    connection: Any = pymysql.connect(
        host=address.target.host,
        port=address.target.port,
        user=address.url.username,
        password=password,
        database=address.url.database,
        # The last resort: the server's own limit and the watch say what it was that took so long.
        read_timeout=_seconds_left(context) + _LAST_RESORT,
        ssl=None if is_open else ssl.create_default_context(cafile=trusted_authorities()),
        local_infile=False,
        init_command="SET SESSION TRANSACTION READ ONLY",
        defer_connect=True,
    )
    own = socket.create_connection((ip, address.target.port), timeout=_seconds(context))
    watched = socket.socket(fileno=os.dup(own.fileno()))
    try:
        with _ended_after(_seconds(context), watched):
            connection.connect(own)
            seconds = _seconds_left(context)
            is_mariadb = "mariadb" in connection.get_server_info().lower()
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SET SESSION max_statement_time = {seconds}"
                    if is_mariadb
                    else f"SET SESSION max_execution_time = {seconds * 1000}"
                )
    except BaseException:
        watched.close()
        raise
    return connection, watched


@contextlib.contextmanager
def _ended_after(seconds: float, connection: socket.socket) -> Iterator[None]:
    """Ends the connection when what is done takes longer: PyMySQL waits for a greeting for ever."""

    def end() -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _sqlite(address: Address, context: Context) -> sqlite3.Connection:
    folder = context.settings.sqlite_dir
    if folder is None:
        raise AddressRefused(
            "SQLite files are not read here.",
            action="Have an administrator set SQLITE_DIR to the folder they are in.",
        )
    path = (folder / Path(address.url.database or "").name).resolve()
    if path.parent != folder.resolve() or not path.is_file():
        raise AddressRefused(
            f"There is no file {path.name} in the folder for SQLite files.",
            action="Write the address like sqlite:///shop.sqlite; the file lies in SQLITE_DIR.",
        )
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False, timeout=10
    )
    connection.execute("PRAGMA query_only = ON")
    connection.set_progress_handler(lambda: int(context.watch.reason is not None), _ASK_EVERY)
    connection.set_authorizer(_only_reading)
    return connection


def _only_reading(action: int, name: str | None, value: str | None, *_: str | None) -> int:
    # SQLAlchemy asks for this one as it connects.
    is_asked = action == sqlite3.SQLITE_PRAGMA and name == "read_uncommitted" and value is None
    return sqlite3.SQLITE_OK if action in _READING or is_asked else sqlite3.SQLITE_DENY
