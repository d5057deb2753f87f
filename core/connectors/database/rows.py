"""Running a query and turning its rows into records."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Generator
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core.connectors.interface import Context, Fetched
from core.errors import ConnectionFailed, FetchError, LimitExceeded, QueryRefused, TimedOut
from core.text.decode import Number, Pairs, parse_json

if TYPE_CHECKING:
    from sqlalchemy import Engine

BATCH = 500
_SQLITE_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_INTERRUPT,
}
# Classes: connection exception, insufficient resources, operator intervention, system error
_SQLSTATE_PASSING = ("08", "53", "57", "58")
# Too many connections, shutting down, lock wait, deadlock, interrupted; 2xxx are the client's own.
_MYSQL_PASSING = {1040, 1053, 1205, 1213, 1317}
# How a server says that it ended a query that took longer than the session allows: PostgreSQL's
# query_canceled, MariaDB's max_statement_time, MySQL's max_execution_time.
_TOO_LONG = {"57014", 1969, 3024}
# How PyMySQL and PostgreSQL's library say it; neither has a code for it.
_NO_TLS = re.compile(r"certificate|SSL error|not support SSL|SSL is required", re.IGNORECASE)
# More of what a database says than anyone reads
_SAID = 300


def read_rows(
    engine: Engine, query: str, max_rows: int, context: Context, fetched: Fetched
) -> Generator[list[Pairs]]:
    """The rows, in batches as they come; about how many bytes they are is noted in ``fetched``.

    Raises QueryRefused, ConnectionFailed, LimitExceeded, TimedOut, or what cut the watch.
    """
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    count = 0
    try:
        with engine.connect() as connection:
            options = {"stream_results": True, "no_parameters": True, "yield_per": BATCH}
            answer = connection.exec_driver_sql(query, execution_options=options)
            if not answer.returns_rows:
                raise QueryRefused("The query gives no rows.", action="Write a SELECT.")
            names = list(answer.keys())
            for batch in answer.partitions(BATCH):
                context.watch.check()
                count += len(batch)
                fetched.bytes += sum(len(str(value)) for row in batch for value in row)
                _check_size(count, fetched.bytes, max_rows, context)
                context.on_page(1, count)
                yield [
                    Pairs((n, _value(v)) for n, v in zip(names, row, strict=True)) for row in batch
                ]
    except FetchError:
        raise
    except DBAPIError as error:
        context.watch.check()
        raise _explain(error.orig or error, connected=True) from None
    except SQLAlchemyError as error:
        context.watch.check()
        raise _explain(error, connected=True) from None
    except OSError as error:
        context.watch.check()
        raise _explain(error, connected=False) from None


def _check_size(rows: int, size: int, max_rows: int, context: Context) -> None:
    if rows > max_rows:
        raise LimitExceeded(
            f"The query gives more than {max_rows:,} rows.",
            action="Narrow it, or raise the link's row limit (at most MAX_RECORDS).",
        )
    if size > context.limits.max_bytes:
        raise LimitExceeded(
            f"The rows are larger than {context.limits.max_bytes:,} bytes.",
            action="Select fewer columns, or raise MAX_BYTES.",
        )


def _explain(error: BaseException, *, connected: bool) -> FetchError:
    """A driver's exception in the operator's words."""
    said = " ".join(str(error).split())[:_SAID]
    code = str(getattr(error, "sqlstate", None) or "")
    if code.startswith("28") or "password" in said.lower() or "access denied" in said.lower():
        return QueryRefused(
            "The database does not accept the user or the password.",
            action="Check the user in the address, and enter the password as the API key.",
        )
    if _NO_TLS.search(said):
        return ConnectionFailed(
            "tls",
            f"No secure connection to the database: {said}",
            action="Whoever runs the database has to give it a certificate that holds. For one "
            "within your own network name its host in CRM_ALLOWED_HOSTS instead.",
        )
    if code in _TOO_LONG or _number(error) in _TOO_LONG:
        return TimedOut(
            "The query took too long and was ended by the database.",
            action="Narrow it, add an index, or raise FETCH_TIMEOUT_SECONDS.",
        )
    if not connected or _is_connections_fault(error):
        return ConnectionFailed(
            "connect",
            f"The database does not answer as it should: {said}",
            action="Check that it is up and the address is right; it is tried again by itself.",
        )
    return QueryRefused(
        f"The database refuses the query: {said}",
        action="Correct the query, or the rights of the user. Queries may only read.",
    )


def _is_connections_fault(error: BaseException) -> bool:
    """Whether it may go well the next time: the connection broke, or the server has no time."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _SQLITE_PASSING
    # Before its SQLSTATE, which is the same for a lock that was waited for and for anything else.
    number = _number(error)
    if number is not None:
        return 2000 <= number < 3000 or number in _MYSQL_PASSING
    code = getattr(error, "sqlstate", None)
    if code:
        return str(code).startswith(_SQLSTATE_PASSING)
    return type(error).__name__ == "OperationalError"


def _number(error: BaseException) -> int | None:
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else None


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | Decimal):
        return Number(str(value))
    if isinstance(value, float):
        return Number(repr(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return parse_json(json.dumps(value, default=str))
    return str(value)
