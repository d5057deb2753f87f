"""Keeps the product's processes running on a bare machine: what ``make run`` starts."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

STOP_SECONDS = 15.0
# A process that dies at once is not started again in a tight loop.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
_PR_SET_PDEATHSIG = 1


@dataclass
class _Child:
    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float | None = None
    pause: float = field(default=FIRST_PAUSE)


class Supervisor:
    """Starts processes, says when one dies, starts it again, and stops all on SIGTERM or Ctrl-C.

    ``port`` is where the web process answers; ``environment`` is added to the children's.
    """

    def __init__(self, port: int, environment: Mapping[str, str] | None = None) -> None:
        self._port = port
        self._environment = {**os.environ, **(environment or {})}
        self._children: list[_Child] = []
        self._stop = threading.Event()

    def add(self, name: str, command: list[str]) -> None:
        """A process to be kept running."""
        self._children.append(_Child(name, command))

    def run(self) -> int:
        """Run until told to stop; the exit code."""
        if _is_taken(self._port):
            _say(f"Port {self._port} is in use. Stop what uses it, or set PORT to another.")
            return 1
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._stop.set())
        _say("Starting. The first answer takes some seconds: the libraries are large.")
        for child in self._children:
            self._start(child)
        announced = False
        while not self._stop.wait(0.2):
            for child in self._children:
                self._look_after(child)
            if not announced and self._answers():
                announced = True
                _say(f"CRM desk is at http://localhost:{self._port} (REST API: /api/docs)")
                _say("Ctrl-C stops it.")
        self._stop_all()
        return 0

    def _start(self, child: _Child) -> None:
        child.start_again_at = None
        child.started_at = time.monotonic()
        # A session of its own, so that Ctrl-C reaches this process alone, which then stops the
        # others in order.
        child.process = subprocess.Popen(  # noqa: S603  (our own commands)
            child.command,
            env=self._environment,
            start_new_session=True,
            # This process has one thread, so nothing is locked in the fork.
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )

    def _look_after(self, child: _Child) -> None:
        if child.start_again_at is not None:
            if time.monotonic() >= child.start_again_at:
                self._start(child)
            return
        if child.process is None or child.process.poll() is None:
            return
        if time.monotonic() - child.started_at > 60:
            child.pause = FIRST_PAUSE
        _say(
            f"The {child.name} process ended ({_how(child.process.returncode)}); "
            f"starting it again in {child.pause:.0f} s."
        )
        child.start_again_at = time.monotonic() + child.pause
        child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _answers(self) -> bool:
        try:
            address = f"http://127.0.0.1:{self._port}/api/health"
            return requests.get(address, timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def _stop_all(self) -> None:
        _say("Stopping.")
        running = [c.process for c in self._children if c.process and c.process.poll() is None]
        for process in running:
            process.terminate()
        ends = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        _say("Stopped.")


def web_command(port: int) -> list[str]:
    """The web process."""
    return python_command("streamlit", "run", "app.py", "--server.port", str(port))


def scheduler_command() -> list[str]:
    """The scheduler."""
    return python_command("core", "scheduler")


def python_command(module: str, *arguments: str) -> list[str]:
    """A module of this Python."""
    return [sys.executable, "-m", module, *arguments]


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  (what the web process will bind)
        except OSError:
            return True
    return False


def _die_with_parent() -> None:
    # Even after kill -9 of the supervisor no process stays behind on the port.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    print(f"[crm-desk] {text}", flush=True)  # noqa: T201
