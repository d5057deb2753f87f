"""How long a run may take, and how it is cut off.

What can block (a socket that is read, a wait) is under the run's watch, and ends when the time is
over, somebody cancels the run, or its lease is lost.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from core.errors import DeskError, TimedOut
from core.slots import Slot

T = TypeVar("T")


class Watch:
    """A deadline for a whole run and a way to cut it off: both end a connection that blocks.

    ``seconds`` is how long everything done under this watch may take together. ``slot`` is left to
    others while the run waits for somebody else.
    """

    def __init__(self, seconds: float, slot: Slot | None = None) -> None:
        self._slot = slot
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._reason: DeskError | None = None
        self._changed = threading.Event()
        self._ends = math.inf
        self._timer: threading.Timer | None = None
        self._wakes = math.inf
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Start the time anew: everything from here on may take ``seconds`` together."""
        with self._lock:
            self._ends = time.monotonic() + seconds
            # A timer is a thread, and the time starts anew with each page: one that comes too early
            # looks at the time again.
            if self._ends < self._wakes:
                self._set_timer()

    def cut(self, reason: DeskError) -> None:
        """End every connection under this watch; what waits on them raises ``reason``."""
        with self._lock:
            self._reason = self._reason or reason
            sockets, self._sockets = self._sockets, set()
        self._changed.set()
        for open_socket in sockets:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    @property
    def reason(self) -> DeskError | None:
        """Why the run was cut off; None while it was not."""
        return self._reason

    def check(self) -> None:
        """Raise the reason for which the run was cut off, if it was."""
        if self._reason is not None:
            raise self._reason

    def wait(self, seconds: float) -> None:
        """Wait; raise at once when the run is cut off."""
        with self.waiting():
            self._changed.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """For as long as nothing is done but waiting for a CRM: others may compute meanwhile."""
        if self._slot is None:
            yield
            return
        self._slot.leave()
        try:
            yield
        finally:
            # Standing in line for the slot is not the CRM's time.
            left = self.seconds_left()
            self._ends = math.inf
            self._slot.take(self.check)
            self.allow(left)

    def seconds_left(self) -> float:
        """How much of the time is left."""
        return max(0.0, self._ends - time.monotonic())

    def register(self, open_socket: socket.socket) -> None:
        """Put a connection under this watch."""
        with self._lock:
            self._sockets.add(open_socket)
        self.check()

    def close(self) -> None:
        """End the watch."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wakes = self._ends
        self._timer = threading.Timer(self.seconds_left(), self._wake)
        self._timer.daemon = True
        self._timer.start()

    def _wake(self) -> None:
        with self._lock:
            self._wakes = math.inf
            if self.seconds_left() > 0:
                if self._ends < math.inf:
                    self._set_timer()
                return
        self.cut(
            TimedOut(
                "The run took too long and was ended.",
                action="Ask the CRM for less at once, or look at why it is slow.",
            )
        )


class TimedParts(Generic[T]):
    """Parts that are got, all together, in ``seconds``.

    What is done with one before the next is asked for does not count: that is in
    ``others_seconds``.
    """

    def __init__(
        self, parts: Iterable[T], watch: Watch, seconds: float, others_seconds: float
    ) -> None:
        self._parts = parts
        self._watch = watch
        self._seconds = seconds
        self._others_seconds = others_seconds

    def __iter__(self) -> Iterator[T]:
        left = self._seconds
        parts = iter(self._parts)
        while True:
            self._watch.allow(left)
            try:
                part = next(parts)
            except StopIteration:
                return
            finally:
                left = self._watch.seconds_left()
                self._watch.allow(self._others_seconds)
            yield part
