"""The mirror follows the store, and mends itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import Client, Product
from tests.servers.crm import Crm, customers
from tests.waiting import until


@pytest.fixture
def own(crm: Crm, tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path, {"CRM_ALLOWED_HOSTS": crm.host})
    product.start_all()
    yield product
    product.stop()


def found(api: Client, page_id: str) -> list[tuple[str, str, float]]:
    return [(hit["path"], hit["text"], hit["score"]) for hit in api.search(page_id, "John", k=50)]


def test_search_says_the_same_after_the_folder_was_deleted_or_broken(
    own: Product, crm: Crm, path: str
) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe", "Max Power")))
    api.ended_run(link["link_id"])
    before = found(api, page_id)
    assert len(before) == 3
    mirror = own.folder / "data" / "mirror"

    shutil.rmtree(mirror)
    assert found(api, page_id) == before

    web = own.processes.pop("web")
    web.kill()
    web.wait()
    for file in mirror.rglob("*"):
        if file.is_file():
            file.write_bytes(b"broken" * 1000)
    own.start("web", "core", "web")
    own.wait_until_ready()
    assert found(api, page_id) == before


def test_two_web_processes_each_have_a_mirror_of_their_own(
    own: Product, crm: Crm, path: str
) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    second = Product(own.folder, {"CRM_ALLOWED_HOSTS": crm.host})
    second.start("web-2", "uvicorn", "core.api:api", "--port", str(second.port))
    try:
        second.wait_until_ready()
        other = second.sign_in()
        assert found(other, page_id) == found(api, page_id) != []
        crm.serve(path, customers("John Doe", "Jane Roe"))
        api.sync(link["link_id"])
        for client in (api, other):
            until(lambda client=client: len(found(client, page_id)) == 2, "the change")
    finally:
        second.stop()
