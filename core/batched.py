"""Parts of a size, as ``itertools.batched`` gives them from Python 3.12 on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in their order, ``size`` at a time; the last part may be smaller."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
