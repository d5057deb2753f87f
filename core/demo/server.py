"""The sample CRM: four addresses, each with another way to sign in.

``python -m core.demo.server`` starts it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from core.demo import data

PORT_VARIABLE = "DEMO_CRM_PORT"
DEFAULT_PORT = 8090
# No secrets: they open nothing but made-up data on this machine.
BEARER = "demo-bearer-token-1"
HEADER = "demo-header-key-2"


def _json(make: Callable[[], object]) -> tuple[str, bytes]:
    return "application/json", json.dumps(make()).encode()


# Path: what the request must carry, and what it is answered with
ROUTES: dict[str, tuple[dict[str, str], Callable[[], tuple[str, bytes]]]] = {
    "/shop/customers.json": (
        {"Authorization": f"Bearer {BEARER}"},
        lambda: _json(data.customers),
    ),
    "/crm/contacts": ({"X-Api-Key": HEADER}, lambda: _json(data.contacts)),
    "/shop/orders.json": (
        {"Authorization": f"Bearer {BEARER}", "X-Shop-Access-Token": HEADER},
        lambda: _json(data.orders),
    ),
    "/help/faq.txt": ({}, lambda: ("text/plain; charset=utf-8", data.FAQ.encode())),
}


class SampleCrm(BaseHTTPRequestHandler):
    """Answers the addresses of ROUTES."""

    def do_GET(self) -> None:
        """Answer 404, 401 or the data."""
        route = ROUTES.get(self.path)
        if route is None:
            self._send(404, *_json(lambda: {"error": "not found"}))
            return
        wanted, make = route
        if any(self.headers.get(name) != value for name, value in wanted.items()):
            self._send(401, *_json(lambda: {"error": "wrong or missing credentials"}))
            return
        self._send(200, *make())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the scheduler's log tells of each fetch."""

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until stopped."""
    port = int(os.environ.get(PORT_VARIABLE, DEFAULT_PORT))
    ThreadingHTTPServer(("127.0.0.1", port), SampleCrm).serve_forever()


if __name__ == "__main__":
    main()
