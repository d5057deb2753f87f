"""What several threads ask for at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.companies import Companies
from core.errors import Conflict
from core.models import CrmLink
from core.settings import Settings
from core.store import Document, open_store
from core.together import Asked, Together
from tests.waiting import until


class Doubling:
    """Doubles numbers; the first part waits until told, and refuses or fails as it is asked."""

    def __init__(self) -> None:
        self.parts: list[list[int]] = []
        self.go_on = threading.Event()

    def work(self, asked: Sequence[Asked[int, int]]) -> None:
        self.parts.append([one.what for one in asked])
        if len(self.parts) == 1:
            assert self.go_on.wait(20)
        for one in asked:
            if one.what == 3:
                one.refuse(Conflict("three", action="Take another."))
            elif one.what < 0:
                raise OSError("no more")
            else:
                one.answer(2 * one.what)


def asked_meanwhile(numbers: Sequence[int]) -> tuple[Doubling, list[Future[int]]]:
    """Ask for 0, and for these while that is under way."""
    doubling = Doubling()
    together = Together(doubling.work)
    with ThreadPoolExecutor(len(numbers) + 1) as pool:
        first = pool.submit(together.do, 0)
        until(lambda: doubling.parts, "the first to be under way")
        rest = [pool.submit(together.do, number) for number in numbers]
        until(lambda: len(together._waiting) == len(numbers), "the others to wait")
        doubling.go_on.set()
    return doubling, [first, *rest]


def test_those_who_come_meanwhile_are_served_together() -> None:
    doubling, futures = asked_meanwhile([1, 2, 4])
    assert [future.result() for future in futures] == [0, 2, 4, 8]
    assert [sorted(part) for part in doubling.parts] == [[0], [1, 2, 4]]


def test_one_that_is_refused_is_told_so_and_no_other() -> None:
    _, (first, two, three, four) = asked_meanwhile([2, 3, 4])
    assert (first.result(), two.result(), four.result()) == (0, 4, 8)
    with pytest.raises(Conflict, match="three"):
        three.result()


def test_when_the_work_fails_nobody_waits_for_ever() -> None:
    _, (first, *others) = asked_meanwhile([-1, -2])
    assert first.result() == 0
    for future in others:
        with pytest.raises(OSError, match="no more"):
            future.result()


@pytest.fixture
def companies(tmp_path: Path) -> Companies:
    made = Companies(open_store(Settings(data_dir=tmp_path)))
    made.add_page("company-1", "0", "First")
    return made


def edited_at_once(companies: Companies, changes: Sequence[Callable[[Document], Any]]) -> list[Any]:
    """What each change gives, or raises, when all come while another is under way."""
    began, go_on = threading.Event(), threading.Event()

    def slow(company: Document) -> None:
        began.set()
        assert go_on.wait(20)

    with ThreadPoolExecutor(len(changes) + 1) as pool:
        pool.submit(companies.edit, "company-1", slow)
        assert began.wait(20)
        futures = [pool.submit(companies.edit, "company-1", change) for change in changes]
        waiting = companies._edits["company-1"]._waiting
        until(lambda: len(waiting) == len(changes), "all to wait")
        go_on.set()
    return [future.exception() or future.result() for future in futures]


def adding(page_id: str) -> Callable[[Document], str]:
    def add(company: Document) -> str:
        company["pages"].append({"page_id": page_id, "page_name": page_id})
        return page_id

    return add


def raising_late(company: Document) -> None:
    company["pages"].clear()
    raise Conflict("Not like this.", action="Do it otherwise.")


def test_edits_that_come_at_once_are_one_update(companies: Companies) -> None:
    before = companies.get("company-1")["rev"]
    names = [str(number) for number in range(1, 6)]
    assert edited_at_once(companies, [adding(name) for name in names]) == names
    company = companies.get("company-1")
    assert sorted(page["page_id"] for page in company["pages"]) == ["0", *names]
    assert company["rev"] == before + 2


def test_an_edit_that_raises_half_way_changes_nothing_of_the_others(companies: Companies) -> None:
    results = edited_at_once(companies, [adding("1"), raising_late, adding("2")])
    assert results[0] == "1"
    assert isinstance(results[1], Conflict)
    assert results[2] == "2"
    assert [page["page_id"] for page in companies.get("company-1")["pages"]] == ["0", "1", "2"]


def test_what_was_written_is_what_is_read(companies: Companies, tmp_path: Path) -> None:
    link = CrmLink("link-1", "Shop", "https://crm.example.com/")

    def add(company: Document) -> None:
        company["pages"][0]["messenger_crm_links"] = [link.to_document()]

    companies.edit("company-1", add)
    elsewhere = Companies(open_store(Settings(data_dir=tmp_path)))
    assert companies.get("company-1") == elsewhere.get("company-1")
    elsewhere.rename_page("company-1", "0", "Renamed")
    assert companies.page("company-1", "0")["page_name"] == "Renamed"
