"""A real CRM server that misbehaves on demand."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What it answers. The flaws are what real servers and the lines to them do."""

    body: bytes | str | dict[str, Any] | list[Any] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = "application/json"
    cut_after: int | None = None
    """Break the connection off after so many bytes of the body."""
    reset: bool = False
    """Reset the connection instead of answering."""
    drip: float | None = None
    """Send a byte, then wait for so many seconds, and so on."""
    wait_for: threading.Event | None = None
    """Answer when this is set."""

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


Respond = Callable[[Request], Answer]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Many schedulers may connect at once.
    request_queue_size = 256


class Crm:
    """The server; ``answers`` maps paths to what is answered there."""

    def __init__(self) -> None:
        self.answers: dict[str, Respond] = {}
        self.requests: list[Request] = []
        self._closing = threading.Event()
        self._numbers = itertools.count(2)
        # All of 127.0.0.0/8: each address is another host, with a rate limit of its own.
        self._server = _Server(("0.0.0.0", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def hosts(self) -> str:
        """All its hosts, the way ``CRM_ALLOWED_HOSTS`` names them."""
        return ",".join(f"127.0.0.{number}:{self.port}" for number in range(1, 255))

    def own_host(self) -> str:
        """A host that no other test uses."""
        return f"127.0.0.{next(self._numbers)}:{self.port}"

    def serve(
        self,
        path: str,
        answer: Answer | Respond | dict[str, Any] | list[Any],
        *,
        host: str | None = None,
    ) -> str:
        """Answer so at ``path`` from now on; the URL, on ``host`` or the usual one."""
        if isinstance(answer, dict | list):
            answer = Answer(answer)
        fixed = answer
        self.answers[path] = fixed if callable(fixed) else lambda _: fixed
        return f"http://{host or self.host}{path}"

    def asked(self, path: str) -> list[Request]:
        """The requests that came for ``path``."""
        return [request for request in self.requests if request.path == path]

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        crm = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are two writes: the second would wait for the first's
            # acknowledgement, which the other end delays by 40 ms.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(
                    self.command,
                    url.path,
                    {name: values[-1] for name, values in parse_qs(url.query).items()},
                    dict(self.headers.items()),
                    self.rfile.read(length),
                )
                crm.requests.append(request)
                respond = crm.answers.get(url.path, lambda _: Answer("not found", 404))
                with contextlib.suppress(OSError):
                    self._send(respond(request))

            do_POST = do_GET

            def _send(self, answer: Answer) -> None:
                if answer.wait_for is not None:
                    answer.wait_for.wait(60)
                if answer.reset:
                    # Closing with a linger time of zero sends a reset.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    return
                body = answer.encoded()
                self.send_response(answer.status)
                if answer.content_type:
                    self.send_header("Content-Type", answer.content_type)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if answer.cut_after is not None:
                    self.wfile.write(body[: answer.cut_after])
                    self.close_connection = True
                elif answer.drip is not None:
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        if crm._closing.wait(answer.drip):
                            return
                else:
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def customers(*names: str) -> dict[str, Any]:
    """An answer with one customer for each name."""
    return {
        "customers": [
            {
                "id": f"cust-{number}",
                "name": name,
                "email": f"{name.split()[0].lower()}@example.com",
            }
            for number, name in enumerate(names, start=1)
        ]
    }
