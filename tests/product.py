"""The running product: its real processes, and a client for its REST API."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from core.models import ENDED
from tests.waiting import until

ROOT = Path(__file__).parent.parent
PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


class Product:
    """The web process and a scheduler over one data folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "PORT": str(self.port),
            "DATA_DIR": str(folder / "data"),
            "ADMIN_PASSWORD": PASSWORD,
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a process of the product; what it prints goes to a file of its name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes[name] = process
        return process

    def start_all(self) -> None:
        self.start("web", "core", "web")
        self.start("scheduler", "core", "scheduler")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended:\n{self.log(name)}"
            try:
                health = requests.get(f"{self.address}/api/health", timeout=5).json()
            except requests.RequestException:
                return False
            return health["status"] == "ok" and health["model"] == "loaded"

        until(is_ready, "the product to be ready", seconds=90)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run one of the product's commands to its end."""
        return subprocess.run(
            [sys.executable, "-m", "core", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def sign_in(self, username: str = "admin", password: str = PASSWORD) -> Client:
        client = Client(f"{self.address}/api")
        answer = client.post("/auth/login", {"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        client.session.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client


class Client:
    """The REST API, the way a script uses it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.session = requests.Session()
        self.session.trust_env = False
        # A kept connection may be closed by the server just as it is used again.
        again = Retry(total=3, connect=0, status=0, backoff_factor=0.1, allowed_methods={"GET"})
        self.session.mount("http://", HTTPAdapter(max_retries=again))

    def get(self, path: str, **parameters: Any) -> requests.Response:
        return self.session.get(self.address + path, params=parameters, timeout=30)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.session.post(self.address + path, json=body, timeout=30)

    def put(self, path: str, body: Any) -> requests.Response:
        return self.session.put(self.address + path, json=body, timeout=30)

    def delete(self, path: str, body: Any) -> requests.Response:
        return self.session.delete(self.address + path, json=body, timeout=30)

    def add_page(self) -> str:
        """A page of the caller's own; its id."""
        page_id = f"{100_000 + next(_numbers)}"
        answer = self.post("/dashboard/pages", {"page_id": page_id, "page_name": f"Page {page_id}"})
        assert answer.status_code == 201, answer.text
        return page_id

    def add_link(
        self,
        page_id: str,
        url: str,
        channels: Sequence[str] = ("messenger",),
        **fields: Any,
    ) -> dict[str, Any]:
        """Register a link; its view."""
        body = {"page_id": page_id, "channels": list(channels), "name": "Customers", "url": url}
        answer = self.post("/dashboard/crm-links", body | {"is_active": True} | fields)
        assert answer.status_code == 201, answer.text
        link: dict[str, Any] = answer.json()["crm_link"]
        return link

    def delete_links(self, page_id: str) -> None:
        """Delete all links of a page."""
        for link in self.get("/dashboard/crm-links", page_id=page_id).json()["crm_links"]:
            body = {"page_id": page_id, "url": link["url"], "channels": link["channels"]}
            self.delete("/dashboard/crm-links", body)

    def runs(self, link_id: str) -> list[dict[str, Any]]:
        """The link's runs, oldest first."""
        runs = self.get("/dashboard/sync/runs", link_id=link_id).json()["runs"]
        return list(reversed(runs))

    def ended_run(self, link_id: str, number: int = 1, *, seconds: float = 30) -> dict[str, Any]:
        """The link's run of this number (from 1), once it is over."""

        def look() -> dict[str, Any] | None:
            runs = self.runs(link_id)
            over = len(runs) >= number and runs[number - 1]["state"] in ENDED
            return runs[number - 1] if over else None

        return until(look, f"run {number} of {link_id} to end", seconds=seconds)

    def sync(self, link_id: str) -> dict[str, Any]:
        """Ask for a sync and wait for its end; the run."""
        answer = self.post("/dashboard/sync", {"link_id": link_id})
        assert answer.status_code == 202, answer.text
        run_id = answer.json()["run_id"]
        return until(lambda: self.run_if_over(run_id), f"{run_id} to end")

    def run_if_over(self, run_id: str) -> dict[str, Any] | None:
        run: dict[str, Any] = self.get(f"/dashboard/sync/runs/{run_id}").json()
        return run if run["state"] in ENDED else None

    def link(self, page_id: str, link_id: str) -> dict[str, Any]:
        """The link's view now."""
        links = self.get("/dashboard/crm-links", page_id=page_id).json()["crm_links"]
        found: dict[str, Any] = next(link for link in links if link["link_id"] == link_id)
        return found

    def texts(self, page_id: str) -> list[str]:
        """The texts of all the documents that the page's links serve."""
        details = self.get("/dashboard/rag/documents/details", page_id=page_id, limit=1000).json()
        return [document["text"] for document in details["documents"]]

    def search(self, page_id: str, query: str, channel: str = "messenger", k: int = 5) -> list[Any]:
        """The hits."""
        body = {"page_id": page_id, "channel": channel, "query": query, "k": k}
        answer = self.post("/dashboard/rag/search", body)
        assert answer.status_code == 200, answer.text
        hits: list[Any] = answer.json()["hits"]
        return hits


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
