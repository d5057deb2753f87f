"""A real PostgreSQL and a real MariaDB (Debian's packages), each in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.product import free_port
from tests.servers.certificates import Certificate
from tests.waiting import until

# A host of its own, which the tests' product may connect to on any port.
HOST = "127.77.0.1"
PASSWORD = "database password 1"


@contextmanager
def postgresql(setup: str, certificate: Certificate | None = None) -> Iterator[str]:
    """Runs PostgreSQL with the tables of ``setup``; the URL of its user ``owner``."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    # It does not run as root.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="desk-pg-"))
    shutil.chown(folder, user)
    port = free_port()
    secret = folder / "password"
    secret.write_text(PASSWORD)
    shutil.chown(secret, user)

    def run(*command: str | Path, text: str = "") -> None:
        _run(command, user, text, folder)

    tls: list[str] = []
    if certificate is not None:
        key = shutil.copy(certificate.key, folder / "server.key")
        shutil.chown(key, user)
        key.chmod(0o600)
        held = shutil.copy(certificate.certificate, folder / "server.pem")
        shutil.chown(held, user)
        tls = ["-c", "ssl=on", "-c", f"ssl_cert_file={held}", "-c", f"ssl_key_file={key}"]

    run(binaries / "initdb", "-D", folder / "data", "-U", "owner", "--pwfile", secret,
        "-A", "scram-sha-256", "--locale", "C.UTF-8")  # fmt: skip
    server = subprocess.Popen(
        [binaries / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder,
         "-c", f"listen_addresses={HOST}", "-c", "fsync=off", *tls],
        user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ask = (binaries / "pg_isready", "-h", HOST, "-p", str(port))
        until(lambda: _is_well(ask), "PostgreSQL to be ready")
        address = f"postgresql://owner:{PASSWORD.replace(' ', '%20')}@{HOST}:{port}/postgres"
        run(binaries / "psql", "-v", "ON_ERROR_STOP=1", "-q", address, text=setup)
        yield f"postgresql://owner@{HOST}:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # "fast": does not wait for clients
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mariadb(setup: str, certificate: Certificate | None = None) -> Iterator[str]:
    """Runs MariaDB with the tables of ``setup`` in ``shop``; the URL of its user ``owner``."""
    folder = Path(tempfile.mkdtemp(prefix="desk-my-"))
    port = free_port()
    user = pwd.getpwuid(os.geteuid()).pw_name
    tls = (
        [f"--ssl-cert={certificate.certificate}", f"--ssl-key={certificate.key}"]
        if certificate is not None
        else []
    )
    _run(
        ("mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", f"--user={user}",
         "--auth-root-authentication-method=normal", "--skip-test-db"),
        user, "", folder,
    )  # fmt: skip
    server = subprocess.Popen(
        ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={folder}/data", f"--port={port}",
         f"--socket={folder}/socket", f"--bind-address={HOST}", f"--user={user}", *tls],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    client = ("mariadb", "--no-defaults", f"--socket={folder}/socket", "-uroot")
    try:
        until(lambda: _is_well((*client, "-e", "SELECT 1")), "MariaDB to be ready")
        account = (
            f"CREATE USER owner@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO owner@'%';"
        )
        _run(client, user, f"CREATE DATABASE shop; USE shop; {setup} {account}", folder)
        yield f"mysql://owner@{HOST}:{port}/shop"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str | Path], user: str, text: str, folder: Path) -> None:
    done = subprocess.run(
        command, user=user, cwd=folder, input=text, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _is_well(command: Sequence[str | Path]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
