"""A CRM of which every path has customers of its own: ``python -m benchmarks.source 2 10 1``.

It answers after so many seconds with so many records a page, on so many pages, and prints its port.
A process of its own, so that it takes nothing from whoever asks but the processor.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

DELAY, RECORDS, LAST_PAGE = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
PLANS = ("Bronze", "Silver", "Gold")


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Wait, then answer with the path's records; one of them names the path."""
        time.sleep(DELAY)
        url = urlsplit(self.path)
        own = url.path.strip("/")
        page = int(parse_qs(url.query).get("page", ["1"])[0])
        people = [
            {
                "id": f"{own}-{number}",
                "name": f"Person {number} of {own}",
                "email": f"p{number}@{own}.example.com",
                "plan": PLANS[number % 3],
                "city": "Bonn",
                "orders": number,
            }
            for number in range((page - 1) * RECORDS, page * RECORDS)
        ]
        following = f"http://{self.headers['Host']}{url.path}?page={page + 1}"
        more = {"next": following} if page < LAST_PAGE else {}
        body = json.dumps({"customers": people, **more}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 512
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
