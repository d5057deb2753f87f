"""Waiting for what happens in other processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], what: str, *, seconds: float = 30.0) -> T:
    """What ``look`` gives, as soon as that is truthy. Fails, saying ``what``, when it never is."""
    ends = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := look()):
        assert time.monotonic() < ends, f"waited {seconds:.0f} s in vain for {what}"
        pause.wait(0.05)
    return found
