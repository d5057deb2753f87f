"""Slots for syncs that compute; one that waits for a CRM leaves its slot to another.

Many CRMs take seconds to answer. A sync that held a worker all that time would keep the embedder
idle, while a thread that only waits costs next to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

# So long a taker waits between two looks at whether its run was cut off.
_LOOK_SECONDS = 0.25


class Slots:
    """``count`` slots. ``on_free`` is called when one is no longer wanted."""

    def __init__(self, count: int, on_free: Callable[[], None]) -> None:
        self._count = count
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._on_free = on_free
        self._wanted = 0

    @property
    def unclaimed(self) -> int:
        """How many slots nobody holds or waits for."""
        with self._lock:
            return max(0, self._count - self._wanted)

    def reserve(self) -> Slot:
        """A slot that is counted as wanted from now on, to be taken soon."""
        self.want()
        return Slot(self)

    def want(self) -> None:
        """Count one more who holds or waits for a slot."""
        with self._lock:
            self._wanted += 1

    def unwant(self) -> None:
        """Count one less."""
        with self._lock:
            self._wanted -= 1
        self._on_free()

    def acquire(self, seconds: float) -> bool:
        """Take one that is free within ``seconds``; whether there was one."""
        return self._free.acquire(timeout=seconds)

    def release(self) -> None:
        """Give one back."""
        self._free.release()


class Slot:
    """One run's slot: taken while it computes, left while it waits for somebody else."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._is_wanted = True
        self._is_held = False

    def take(self, check: Callable[[], None] = lambda: None) -> None:
        """Wait for the slot. ``check`` is called again and again meanwhile, and may raise."""
        if not self._is_wanted:
            self._slots.want()
            self._is_wanted = True
        while not self._slots.acquire(_LOOK_SECONDS):
            check()
        self._is_held = True

    def leave(self) -> None:
        """Let another have it; nothing when it is neither held nor waited for."""
        if self._is_held:
            self._is_held = False
            self._slots.release()
        if self._is_wanted:
            self._is_wanted = False
            self._slots.unwant()
