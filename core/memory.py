"""Giving memory back to the system.

Embedding allocates and frees in threads, between what is kept: glibc holds on to the gaps, 100 to
200 MB of them in a sync of 100,000 records.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any


def give_back() -> None:
    """Return what is free but held; does nothing where the C library is not glibc."""
    trim = _trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
