"""Databases on the open net: TLS, and a certificate that holds, or no connection."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import certifi
import pytest
from sqlalchemy import make_url

from core.connectors.database import sessions
from core.connectors.database.rows import read_rows
from core.connectors.database.sessions import reading_engine
from core.connectors.interface import Context, Fetched
from core.desk import Desk
from core.errors import ConnectionFailed
from core.security.network import AddressGuard, Target
from core.settings import Settings
from core.watch import Watch
from tests.servers.certificates import Certificate, certificate_for
from tests.servers.databases import HOST, PASSWORD, mariadb, postgresql

NAME = "db.example.com"
TABLE = "CREATE TABLE customers (name varchar(20)); INSERT INTO customers VALUES ('John Doe');"
Servers = dict[str, str]


class OpenNet(AddressGuard):
    """Takes the tests' own network for the open net: there TLS is not left out."""

    def check_address(self, target: Target, address: str) -> None:
        """Let it through."""


@pytest.fixture(scope="module")
def certificate() -> Iterator[Certificate]:
    # Not in pytest's folder, which is closed to the databases' own user.
    with tempfile.TemporaryDirectory(prefix="desk-tls-") as folder:
        yield certificate_for(NAME, Path(folder))


@pytest.fixture(scope="module")
def secured(certificate: Certificate) -> Iterator[Servers]:
    with ExitStack() as running:
        yield {
            "postgresql": running.enter_context(postgresql(TABLE, certificate)),
            "mysql": running.enter_context(mariadb(TABLE, certificate)),
        }


@pytest.fixture(scope="module")
def plain() -> Iterator[Servers]:
    with ExitStack() as running:
        yield {
            "postgresql": running.enter_context(postgresql(TABLE)),
            "mysql": running.enter_context(mariadb(TABLE)),
        }


@pytest.fixture(params=["postgresql", "mysql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A fetch on a machine that knows our names, and whose owner has declared nothing."""
    monkeypatch.setattr(sessions, "resolve", lambda *_, **__: [HOST])
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    desk = Desk(Settings(data_dir=tmp_path))
    return Context(
        desk.settings, desk.database, desk.box, OpenNet(), desk.pauses, Watch(30), lambda _: None
    )


def names(address: str, context: Context, host: str = NAME) -> list[str]:
    url = make_url(address).set(host=host).render_as_string()
    with reading_engine(url, PASSWORD, context) as engine:
        query = "SELECT name FROM customers"
        return [
            dict(row)["name"]
            for batch in read_rows(engine, query, 10, context, Fetched(None, 0))
            for row in batch
        ]


def refusal(address: str, context: Context, host: str = NAME) -> str:
    with pytest.raises(ConnectionFailed, match="No secure connection") as refused:
        names(address, context, host)
    assert refused.value.kind == "tls"
    return refused.value.message


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is among the authorities that every installation trusts."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificate.authority))


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_holds_is_taken(
    secured: Servers, dialect: str, context: Context
) -> None:
    assert names(secured[dialect], context) == ["John Doe"]


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host_is_refused(
    secured: Servers, dialect: str, context: Context
) -> None:
    said = refusal(secured[dialect], context, "other.example.com")
    assert "other.example.com" in said


def test_a_certificate_of_nobody_known_is_refused(
    secured: Servers, dialect: str, context: Context
) -> None:
    assert "certificate verify failed" in refusal(secured[dialect], context)


def test_an_authority_of_ones_own_can_be_declared(
    secured: Servers, dialect: str, context: Context, certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    assert names(secured[dialect], context) == ["John Doe"]


def test_a_server_without_tls_gets_no_password(
    plain: Servers, dialect: str, context: Context
) -> None:
    assert "SSL" in refusal(plain[dialect], context)
