"""File links: uploads of every format, and files at web addresses."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import requests

from tests.connectors.test_webhooks import Sender
from tests.product import Client, Product
from tests.security.test_erasure import erase, files_with
from tests.servers.crm import Answer, Crm, Request
from tests.waiting import until


def workbook(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Customers"
    for row in rows:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


FILES: dict[str, tuple[bytes, str]] = {
    "people.json": (b'{"people": [{"id": 1, "name": "John Doe"}]}', "people[0].name: John Doe"),
    "people.jsonl": (b'{"id": 1, "name": "John Doe"}\n{"id": 2}\n', "[0].name: John Doe"),
    "people.csv": (
        "Kundennr;Name;Ort\n1;Jürgen Groß;Köln\n".encode("cp1252"),
        "rows[0].Name: Jürgen Groß",
    ),
    "people.tsv": (b"id\tname\n1\tJohn Doe\n", "rows[0].name: John Doe"),
    "people.xlsx": (workbook([["id", "name"], [1, "John Doe"]]), "Customers[0].name: John Doe"),
    "people.xml": (
        b"<all><one><id>1</id><name>John Doe</name></one><one><id>2</id></one></all>",
        "name: John Doe",
    ),
    "people.txt": (b"We open at nine on Mondays.\n", "We open at nine on Mondays."),
}


def upload(api: Client, name: str, content: bytes, **fields: str) -> requests.Response:
    return api.session.post(
        f"{api.address}/dashboard/uploads", files={"file": (name, content)}, data=fields, timeout=60
    )


def add(api: Client, page_id: str, name: str, content: bytes) -> dict[str, Any]:
    answer = upload(api, name, content)
    assert answer.status_code == 201, answer.text
    kept = answer.json()["upload"]
    options = {"upload_id": kept["upload_id"]}
    return api.add_link(page_id, kept["url"], type="file", options=options)


@pytest.mark.parametrize("name", list(FILES))
def test_an_uploaded_file_becomes_records(api: Client, page_id: str, name: str) -> None:
    content, line = FILES[name]
    link = add(api, page_id, name, content)
    run = api.ended_run(link["link_id"])
    assert run["state"] == "succeeded", run["error"]
    assert line in "\n".join(api.texts(page_id))


def test_a_new_upload_takes_the_place_of_the_old_one_as_a_whole(api: Client, page_id: str) -> None:
    link = add(api, page_id, "people.csv", b"id,name\n1,John Doe\n2,Jane Roe\n")
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    assert api.sync(link["link_id"])["state"] == "unchanged"
    answer = upload(api, "new.csv", b"id,name\n1,John Smith\n3,New One\n", link_id=link["link_id"])
    assert answer.status_code == 201, answer.text
    assert api.ended_run(link["link_id"], 3)["state"] == "succeeded"
    texts = "\n".join(api.texts(page_id))
    assert "John Smith" in texts
    assert "Jane Roe" not in texts


def test_a_broken_upload_leaves_what_is_served(api: Client, page_id: str) -> None:
    link = add(api, page_id, "people.json", FILES["people.json"][0])
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    upload(api, "broken.json", b'{"customers": [', link_id=link["link_id"])
    run = api.ended_run(link["link_id"], 2)
    assert (run["state"], run["error"]["kind"]) == ("failed", "not_readable")
    assert "John Doe" in "\n".join(api.texts(page_id))


def bomb() -> bytes:
    """A workbook of some kilobytes that unpacks to gigabytes."""
    whole = io.BytesIO(workbook([["id"], [1]]))
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
        with target.open("xl/worksheets/sheet2.xml", "w", force_zip64=True) as sheet:
            for _ in range(300):
                sheet.write(b"0" * 1024 * 1024)
    return packed.getvalue()


HOSTILE: dict[str, bytes] = {
    "entities.xml": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    "outside.xml": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "deep.json": b"[" * 100_000 + b"]" * 100_000,
    "not-really.xlsx": b"PK\x03\x04 this is no workbook",
    "binary.txt": bytes(range(256)) * 100,
}


@pytest.mark.parametrize("name", [*HOSTILE, "bomb.xlsx"])
def test_a_hostile_file_fails_the_run_and_nothing_else(
    api: Client, page_id: str, name: str
) -> None:
    link = add(api, page_id, name, bomb() if name == "bomb.xlsx" else HOSTILE[name])
    run = api.ended_run(link["link_id"])
    assert run["state"] == "failed"
    assert run["error"]["kind"] in ("not_readable", "limit"), run["error"]
    assert api.texts(page_id) == []


def test_a_formula_is_text_and_is_not_worked_out(api: Client, page_id: str) -> None:
    content = workbook([["id", "name"], [1, "=1+1"], [2, '=HYPERLINK("https://evil.example")']])
    link = add(api, page_id, "formulas.xlsx", content)
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    assert "2" not in [line.partition("name: ")[2] for line in api.texts(page_id)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"link_id": "none"}, 404), ({}, 422)],
)
def test_what_can_not_be_kept_is_refused(api: Client, fields: dict[str, str], status: int) -> None:
    assert upload(api, "empty.csv", b"" if not fields else b"x", **fields).status_code == status


def test_a_file_over_the_limit_is_refused(api: Client, product: Product) -> None:
    limit = int(product.environment["MAX_UPLOAD_BYTES"])
    # The first is more than any form around a file makes of it; the second is not.
    for size in (limit + 3_000_000, limit + 1):
        answer = upload(api, "large.txt", b"a" * size)
        assert answer.status_code == 413
        assert "larger than" in answer.text


def test_an_upload_that_nobody_made_makes_no_link(api: Client, page_id: str) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "x",
        "url": "upload:x.csv",
        "type": "file",
    }
    assert "No file was uploaded" in api.post("/dashboard/crm-links", body).text
    options = {"options": {"upload_id": "upload-none"}}
    assert api.post("/dashboard/crm-links", body | options).status_code == 404


def test_a_file_at_a_web_address_is_fetched_by_its_name(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    def csv(_: Request) -> Answer:
        return Answer("id;name\n1;John Doe\n", content_type="application/octet-stream")

    link = api.add_link(page_id, crm.serve(f"{path}/export.csv", csv), type="file", api_key="key-1")
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    assert "rows[0].name: John Doe" in "\n".join(api.texts(page_id))
    assert crm.asked(f"{path}/export.csv")[0].headers["Authorization"] == "Bearer key-1"


def test_a_file_inside_the_network_is_refused(api: Client, page_id: str) -> None:
    for url in ("https://10.0.0.1/x.csv", "file:///etc/passwd", "ftp://example.com/x.csv"):
        body = {"page_id": page_id, "channels": ["messenger"], "name": "x", "type": "file"}
        assert api.post("/dashboard/crm-links", body | {"url": url}).status_code == 422


def test_what_waits_to_be_redacted_is_not_readable_in_the_store_and_can_be_erased(
    tmp_path: Path,
) -> None:
    """Uploads and events are kept as they came: encrypted, rotated with the key, and erased."""
    own = Product(tmp_path, {})
    person, card = "ann.erased@example.com", "4111 1111 1111 1111"
    record = {"id": 1, "name": "Ann", "email": person, "card": card}
    try:
        own.start_all()
        api = own.sign_in()
        page_id = api.add_page()
        rows = f"id,email,card\n1,{person},{card}\n2,ben@example.com,none\n"
        uploaded = add(api, page_id, "people.csv", rows.encode())
        options = {"scheme": "secret", "secret": "plain-secret-1"}
        hooked = api.add_link(page_id, "https://shop.example.com", type="webhook", options=options)
        sender = Sender(own, hooked["link_id"], "secret", "plain-secret-1")
        assert sender.send(record).status_code == 202
        assert sender.send({"id": 2, "name": "Ben"}).status_code == 202
        api.ended_run(uploaded["link_id"])
        until(lambda: "Ben" in "\n".join(api.texts(page_id)), "the events to be worked off")
        assert files_with(tmp_path / "data" / "store", card) == []
        assert own.run("secrets", "rotate").returncode == 0
        assert own.run("secrets", "rotate").returncode == 0
        assert api.sync(hooked["link_id"])["state"] == "unchanged"
        report = json.dumps(erase(api, person))
        assert '"uploads": 1' in report
        assert files_with(tmp_path / "data", person) == []
        assert api.sync(hooked["link_id"])["state"] in ("succeeded", "unchanged")
        texts = "\n".join(api.texts(page_id))
        assert person not in texts
        assert "Ben" in texts
    finally:
        own.stop()
