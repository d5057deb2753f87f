"""The REST API under load: ``make bench-api``.

1,000 links on 50 pages over the embedded store; `wrk` asks for a page's list, toggles its links and
searches, with one, eight and 32 connections. `wrk` runs on the same processor.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

import requests

from benchmarks.links import fill, wait_for
from core.desk import Desk
from core.models import Channel
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from tests.product import Product
from tests.servers.crm import Crm

LINKS = 1000
SECONDS = 10
CONNECTIONS = (1, 8, 32)
PAGE = "1007"
QUICK = 0.05
"""A process that has nothing to do answers within so many seconds."""
SERVED = 20
"""So many of the links are synced, ten records each: what a search looks through."""


def script(folder: Path, token: str, method: str, path: str, bodies: list[object]) -> Path:
    """A script for wrk, which sends the bodies in turn."""
    encoded = [json.dumps(body) for body in bodies]
    made = folder / "ask.lua"
    made.write_text(
        f"""
wrk.headers["Authorization"] = "Bearer {token}"
wrk.headers["Content-Type"] = "application/json"
local bodies = {{ {", ".join(f"[==[{body}]==]" for body in encoded)} }}
local number = 0
request = function()
  number = number % math.max(#bodies, 1) + 1
  return wrk.format("{method}", "{path}", nil, bodies[number])
end
done = function(summary, latency)
  local bad = summary.errors.status + summary.errors.timeout + summary.errors.read
  print(string.format("p99 %d bad %d", latency:percentile(99), bad))
end
"""
    )
    return made


def load(address: str, made: Path, connections: int) -> tuple[float, float]:
    """Answers a second, and the 99th percentile in milliseconds."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{SECONDS}s",
        "--timeout",
        "60s",
        "-s",
        str(made),
        address,
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate, p99, bad = re.findall(r"Requests/sec:\s+([\d.]+)|p99 (\d+)|bad (\d+)", printed)
    assert bad[2] == "0", printed
    return float(rate[0]), int(p99[1]) / 1000


def settle(address: str) -> None:
    """Wait until what an earlier load has left behind is answered: wrk goes, its requests stay."""

    def is_idle() -> bool:
        began = time.perf_counter()
        requests.get(f"{address}/api/health", timeout=60).raise_for_status()
        return time.perf_counter() - began < QUICK

    wait_for(lambda: all(is_idle() for _ in range(5)))


def main() -> None:
    """Run it, and print a table."""
    crm = Crm()
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Settings(data_dir=Path(folder) / "data", crm_allowed_hosts=crm.hosts))
        fill(desk, crm.host, LINKS, "r")
        links = [
            link
            for link in desk.links.of_company(DEFAULT_COMPANY)
            if link.page_id == PAGE and Channel.MESSENGER in link.channels
        ][:SERVED]
        for link in links:
            path = link.link.url.rpartition("/")[2]
            people = [{"id": n, "name": f"Person {n} of {path}", "city": "Bonn"} for n in range(10)]
            crm.serve(f"/{path}", {"customers": people})
        states = desk.database["link_states"]
        ids = [link.link.link_id for link in links]
        states.update_many({"_id": {"$nin": ids}}, {"$set": {"due_at": time.time() + 86_400}})
        product = Product(Path(folder), {"CRM_ALLOWED_HOSTS": crm.hosts})
        product.environment["SYNC_INTERVAL_MINUTES"] = "900"
        try:
            product.start_all()
            wait_for(lambda: states.count_documents({"live_generation": {"$gt": 0}}) == len(ids))
            api = product.sign_in()
            wait_for(lambda: bool(api.search(PAGE, "Person 3 of r7")))
            token = str(api.session.headers["Authorization"]).removeprefix("Bearer ")
            toggles: list[object] = [
                {
                    "page_id": PAGE,
                    "url": link.link.url,
                    "channels": ["messenger"],
                    "is_active": is_active,
                }
                for link in links
                for is_active in (False, True)
            ]
            questions: list[object] = [
                {"page_id": PAGE, "channel": "messenger", "query": f"Person {n} of r7", "k": 5}
                for n in range(50)
            ]
            calls = (
                ("a page's list of 20 links", "GET", f"/crm-links?page_id={PAGE}", []),
                ("all 1,000 links", "GET", "/crm-links/all", []),
                ("a search", "POST", "/rag/search", questions),
                ("a toggle", "PUT", "/crm-links/status", toggles),
            )
            print("\n| call | connections | answers a second | 99th percentile |")
            print("|---|---|---|---|")
            for name, method, path, bodies in calls:
                for connections in CONNECTIONS:
                    made = script(Path(folder), token, method, f"/api/dashboard{path}", bodies)
                    settle(product.address)
                    rate, p99 = load(product.address, made, connections)
                    print(f"| {name} | {connections} | {rate:.0f} | {p99:.0f} ms |", flush=True)
        finally:
            product.stop()
            crm.close()


if __name__ == "__main__":
    main()
