"""The guarded HTTP session: every connection is checked, bounded in time, and can be cut off.

requests does the HTTP. What it connects to goes through the address guard: the name is resolved
once, each address is checked, and exactly that one is connected to. Environment proxies and .netrc
are not used, redirects are not followed.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from core.errors import (
    AddressRefused,
    ConnectionFailed,
    FetchError,
    LimitExceeded,
    TimedOut,
)
from core.security.network import AddressGuard, Target, resolve
from core.watch import Watch

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
_PIECE = 64 * 1024
# So much of an answer may come in while the run has no slot: a CRM that sends a byte a second keeps
# nobody from computing, and what many waiting runs hold stays small.
_UNSLOTTED_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """A CRM's answer. Header names are case-insensitive in HTTP, so they are in lower case here."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class GuardedSession:
    """A requests session for one run."""

    def __init__(self, guard: AddressGuard, watch: Watch) -> None:
        self._guard = guard
        self._watch = watch
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        adapter = _GuardedAdapter(guard, watch)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        body: bytes | None = None,
        max_bytes: int,
    ) -> Answer:
        """Ask ``url``. ``max_bytes`` bounds the answer's body after decompression.

        Raises AddressRefused, ConnectionFailed, TimedOut, LimitExceeded, or what cut the watch.
        """
        target = self._guard.check_url(url)
        self._watch.check()
        received = bytearray()
        try:
            with contextlib.ExitStack() as closing:
                with self._watch.waiting():
                    response = closing.enter_context(
                        self._session.request(
                            method,
                            url,
                            headers=dict(headers),
                            data=body,
                            stream=True,
                            allow_redirects=False,
                            timeout=(CONNECT_SECONDS, READ_SECONDS),
                        )
                    )
                    self._read(response.raw, received, min(max_bytes, _UNSLOTTED_BYTES))
                self._read(response.raw, received, max_bytes)
                if len(received) > max_bytes:
                    raise LimitExceeded(
                        f"The answer is larger than {max_bytes:,} bytes.",
                        action="Ask for less at once, or raise MAX_BYTES.",
                    )
                return Answer(
                    response.status_code,
                    _reason(response),
                    {name.lower(): value for name, value in response.headers.items()},
                    bytes(received),
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._watch.check()
            raise _explain(error, target) from None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _read(self, raw: Any, received: bytearray, enough: int) -> None:
        """Add to ``received`` until there are more than ``enough`` bytes, or no more come."""
        while len(received) <= enough:
            # read1 hands over what has come: read would wait for a full piece, byte by byte.
            piece = raw.read1(_PIECE, decode_content=True)
            self._watch.check()
            if not piece:
                return
            received += piece


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: AddressGuard, watch: Watch) -> None:
        self._guarded = (guard, watch)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        guard, watch = self._guarded
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool_class(HTTPConnectionPool, HTTPConnection, guard, watch),
            "https": _pool_class(HTTPSConnectionPool, HTTPSConnection, guard, watch),
        }


def _pool_class(
    pool: type[HTTPConnectionPool],
    connection: type[HTTPConnection],
    guard: AddressGuard,
    watch: Watch,
) -> type[HTTPConnectionPool]:
    def new_conn(self: HTTPConnection) -> socket.socket:
        scheme = "https" if isinstance(self, HTTPSConnection) else "http"
        return _connect(Target(scheme, self.host.rstrip("."), self.port), guard, watch)

    guarded = type("Guarded" + connection.__name__, (connection,), {"_new_conn": new_conn})
    return type("Guarded" + pool.__name__, (pool,), {"ConnectionCls": guarded})


def _connect(target: Target, guard: AddressGuard, watch: Watch) -> socket.socket:
    limit = min(CONNECT_SECONDS, watch.seconds_left())
    try:
        addresses = resolve(target, timeout=limit)
    except TimeoutError:
        raise ConnectionFailed(
            "dns", f"The name {target.host} could not be looked up in time.", action=_TRY_LATER
        ) from None
    except OSError:
        raise ConnectionFailed(
            "dns",
            f"There is no host named {target.host}.",
            action="Check the spelling of the address.",
        ) from None
    for address in addresses:
        guard.check_address(target, address)
    failure: OSError = OSError("no address")
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            watch.register(connection)
            connection.settimeout(max(0.1, min(CONNECT_SECONDS, watch.seconds_left())))
            connection.connect((address, target.port))
            connection.settimeout(READ_SECONDS)
            return connection
        except OSError as error:
            connection.close()
            watch.check()
            failure = error
    raise failure


_TRY_LATER = "It is tried again by itself."


def _reason(response: requests.Response) -> str:
    from http import HTTPStatus

    try:
        return response.reason or HTTPStatus(response.status_code).phrase
    except ValueError:
        return ""


def _explain(error: Exception, target: Target) -> FetchError:
    """A library's exception in the operator's words: by the innermost cause that says it."""
    causes: list[BaseException] = []
    node: Any = error
    while isinstance(node, BaseException) and node not in causes:
        causes.append(node)
        inner = getattr(node, "reason", None)
        arguments = [a for a in node.args if isinstance(a, BaseException)]
        node = (
            inner
            if isinstance(inner, BaseException)
            else node.__cause__ or (arguments[-1] if arguments else node.__context__)
        )
    for cause in causes:
        if isinstance(cause, FetchError):
            return cause
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return ConnectionFailed(
                "tls",
                f"No secure connection to {target.host}: {_ssl_words(cause)}.",
                action="Whoever runs the CRM has to renew or complete its certificate.",
            )
    for cause in causes:
        if isinstance(cause, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError):
            return TimedOut(f"{target.host} did not answer in time.", action=_TRY_LATER)
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return ConnectionFailed(
                "connect",
                f"{target.host} refuses connections on port {target.port}.",
                action="Check that the CRM is up and the port is right.",
            )
    for cause in causes:
        if isinstance(cause, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
            return AddressRefused("That is not a web address.", action="Correct the link's URL.")
        if isinstance(cause, requests.exceptions.InvalidHeader):
            return AddressRefused(
                "The key or a header has a character in it that HTTP does not allow.",
                action="Enter the key and the headers again, without line breaks.",
            )
    return ConnectionFailed(
        "broken", f"The connection to {target.host} broke off.", action=_TRY_LATER
    )


def _ssl_words(error: ssl.SSLError) -> str:
    words = getattr(error, "verify_message", "") or error.reason or "the handshake failed"
    return str(words).replace("_", " ").lower()
