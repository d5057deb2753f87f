"""What several threads ask for at the same time, done at once.

Where only one write can be under way and each takes its time, those who come meanwhile would wait
for all before them. Here they wait for the one under way, and the next serves all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Asked(Generic[A, R]):
    """What one thread asks for, and what came of it."""

    def __init__(self, what: A) -> None:
        self.what = what
        self.results: list[R] = []
        self.error: BaseException | None = None

    def answer(self, result: R) -> None:
        """It is done."""
        self.results = [result]

    def refuse(self, error: BaseException) -> None:
        """It is not done: this is raised where it was asked for."""
        self.error = error

    @property
    def is_over(self) -> bool:
        """Whether it was answered or refused."""
        return bool(self.results) or self.error is not None


class Together(Generic[A, R]):
    """Has ``work`` do what is asked for, everything that came since it began last.

    ``work`` answers or refuses each. What it raises itself is raised to all whom it left.
    """

    def __init__(self, work: Callable[[Sequence[Asked[A, R]]], None]) -> None:
        self._work = work
        self._waiting: list[Asked[A, R]] = []
        self._guard = threading.Lock()
        self._working = threading.Lock()

    def do(self, what: A) -> R:
        """The result; it is done when this returns. Raises what it was refused with."""
        asked: Asked[A, R] = Asked(what)
        with self._guard:
            self._waiting.append(asked)
        with self._working:
            if not asked.is_over:
                self._do_all()
        if asked.error is not None:
            raise asked.error
        return asked.results[0]

    def _do_all(self) -> None:
        with self._guard:
            everything, self._waiting = self._waiting, []
        try:
            self._work(everything)
        except BaseException as error:
            for asked in everything:
                if not asked.is_over:
                    asked.refuse(error)
