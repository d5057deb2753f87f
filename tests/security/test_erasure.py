"""Erasing a person: gone from every file, and kept out from then on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import Client, Product
from tests.servers.crm import Answer, Crm
from tests.waiting import until

PERSON = "ann.erased@example.com"
PEOPLE = {
    "customers": [
        {"id": "c-1", "name": "Ben Staying", "email": "ben@example.com"},
        {"id": "c-2", "name": "Ann Unforgettable", "email": PERSON, "phone": "+49 30 901820"},
        {"id": "c-3", "name": "Cat Staying", "notes": f"a friend of {PERSON}"},
        {"id": "c-4", "name": "Dan Staying", "email": f"not-{PERSON}x"},
    ]
}


@pytest.fixture
def own(tmp_path: Path, crm: Crm) -> Iterator[Product]:
    running = Product(tmp_path, {"CRM_ALLOWED_HOSTS": crm.hosts})
    try:
        running.start_all()
        yield running
    finally:
        running.stop()


def erase(api: Client, value: str) -> dict[str, object]:
    answer = api.post("/erasures", {"value": value})
    assert answer.status_code == 202, answer.text
    path = f"/erasures/{answer.json()['erasure_id']}"

    def report() -> dict[str, object] | None:
        erasure = api.get(path).json()
        assert value not in json.dumps(erasure)
        done: dict[str, object] | None = erasure["report"]
        return done

    return until(report, "the erasure to be done", seconds=60)


def files_with(folder: Path, text: str, *, but: str = "") -> list[str]:
    """The files that hold the text, in any case, otherwise than as a part of ``but``."""
    wanted, other = text.lower().encode(), but.lower().encode()
    held = {path: path.read_bytes().lower() for path in folder.rglob("*") if path.is_file()}
    return [str(p) for p, b in held.items() if wanted in (b.replace(other, b"") if other else b)]


def test_a_person_is_gone_from_everything_and_does_not_come_back(
    own: Product, crm: Crm, path: str, tmp_path: Path
) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    link = api.add_link(page_id, crm.serve(path, PEOPLE), ["facebook", "messenger"])
    link_id = link["link_id"]
    api.ended_run(link_id)
    changed = json.loads(json.dumps(PEOPLE))
    changed["customers"][1]["name"] = "Ann Changed"
    crm.serve(path, changed)
    assert api.sync(link_id)["state"] == "succeeded"
    asked = {"page_id": page_id, "channel": "messenger"}
    api.post("/dashboard/questions", asked | {"question": f"Who is {PERSON}?"})
    api.post("/dashboard/questions/run", asked)
    assert any(PERSON in hit["text"] for hit in api.search(page_id, PERSON))
    report = erase(api, PERSON)
    assert report["links"] == [
        {"records": 2, "chunks": 2, "kept": 2, "link_name": "Customers"},
    ]
    assert (report["questions"], report["audit"]) == (1, 1)
    for channel in ("facebook", "messenger"):
        texts = [hit["text"] for hit in api.search(page_id, "Ann", channel, k=50)]
        assert sorted(text.split("\n")[0].split(": ")[1] for text in texts) == ["c-1", "c-4"]
    assert all(PERSON not in text or f"not-{PERSON}x" in text for text in api.texts(page_id))
    # The CRM still sends it: it is left out.
    run = api.sync(link_id)
    assert run["state"] in ("succeeded", "unchanged")
    assert any("Left out 2 records of erased persons" in line["text"] for line in run["lines"])
    assert len(api.texts(page_id)) == 2
    run_views = api.get("/dashboard/sync/runs", link_id=link_id).text
    assert "Ann Unforgettable" not in run_views
    assert own.run("mirror", "check").returncode == 0
    crm.serve(path, {"customers": [PEOPLE["customers"][0], PEOPLE["customers"][3]]})
    assert api.sync(link_id)["state"] == "succeeded"  # the last one has moved up
    own.stop()
    data = tmp_path / "data"
    assert files_with(data, "Ann Unforgettable") == []
    assert files_with(data, PERSON, but=f"not-{PERSON}x") == []


def test_plain_text_loses_the_paragraph(own: Product, crm: Crm, path: str) -> None:
    text = f"Opening hours\nFrom 9 to 19\n\nContact\n{PERSON}\n\nReturns\nWithin 30 days"
    url = crm.serve(path, Answer(text, content_type="text/plain"))
    api = own.sign_in()
    page_id = api.add_page()
    link = api.add_link(page_id, url)
    api.ended_run(link["link_id"])
    erase(api, PERSON)
    assert api.texts(page_id) == ["Opening hours\nFrom 9 to 19", "Returns\nWithin 30 days"]
    assert api.sync(link["link_id"])["state"] == "succeeded"
    assert len(api.texts(page_id)) == 2


@pytest.mark.parametrize("value", ["", "abc", "x" * 201, "a\nbcdef"])
def test_what_is_no_value_to_erase_is_refused(api: Client, value: str) -> None:
    assert api.post("/erasures", {"value": value}).status_code == 422
