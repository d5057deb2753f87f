"""What a failure means to people."""

from __future__ import annotations

import pytest

from core import errors
from core.status import DIAGNOSES, diagnosis


def kinds(error: type[errors.DeskError]) -> set[str]:
    """The kinds of an error and of everything below it in the tree."""
    own = {str(error.__dict__["kind"])} if "kind" in error.__dict__ else set()
    return own.union(*(kinds(below) for below in error.__subclasses__()))


# Those that their errors are given when they are raised.
GIVEN = {"unauthorized", "forbidden", "not_found", "dns", "tls", "connect", "broken"}


def test_every_kind_of_failure_has_a_cause_and_somebody_who_can_fix_it() -> None:
    # "fetch" and "answer" are what the branches are called; nothing raises them.
    raised = (kinds(errors.SyncError) | kinds(errors.Held) | GIVEN) - {"fetch", "answer"}
    assert raised <= set(DIAGNOSES)
    for known in DIAGNOSES.values():
        assert known.cause
        assert known.who


@pytest.mark.parametrize("kind", ["error", "something new"])
def test_what_is_not_known_is_the_products_own_fault(kind: str) -> None:
    assert diagnosis(kind).who == "Whoever runs this desk"
