"""CSV that is safe to open."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from core.text.spreadsheet import to_csv


@given(st.lists(st.lists(st.text(max_size=30), min_size=2, max_size=2), max_size=10))
def test_no_cell_begins_like_a_formula_and_none_is_lost(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(to_csv(("a", "b"), rows), newline="")))[1:]
    assert len(read) == len(rows)
    for cells, came in zip(rows, read, strict=True):
        for cell, shown in zip(cells, came, strict=True):
            assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
            assert shown in (cell, f"'{cell}")


def test_numbers_stay_numbers() -> None:
    assert to_csv(("n",), [[-1.5], [None]]) == 'n\r\n-1.5\r\n""\r\n'
