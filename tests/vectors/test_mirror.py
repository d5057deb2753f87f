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


def test_search_is_right_after_a_kill_between_the_store_and_the_mirror(
    own: Product, crm: Crm, path: str
) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    assert len(found(api, page_id)) == 2
    crm.serve(path, customers("John Doe", "Jane Smith", "Max Power"))
    api.post("/dashboard/sync", {"link_id": link["link_id"]})
    web = own.processes.pop("web")
    web.kill()
    web.wait()
    until(
        lambda: own.log("scheduler").count("Stored") == 2,
        "the store to have what the mirror has not",
    )
    own.start("web", "core", "web")
    own.wait_until_ready()
    texts = "\n".join(text for _, text, _ in found(api, page_id))
    assert "Jane Smith" in texts
    assert "Max Power" in texts
    assert "Jane Roe" not in texts
    assert own.run("mirror", "check").returncode == 0


def test_check_finds_what_differs_and_rebuild_mends_it(own: Product, crm: Crm, path: str) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    assert len(found(api, page_id)) == 2
    checked = own.run("mirror", "check")
    assert (checked.returncode, "agrees with the store" in checked.stdout) == (0, True)
    assert "Waiting for 1 processes that hold a mirror" in checked.stdout

    web = own.processes.pop("web")
    web.kill()
    web.wait()
    until(lambda: "No web process" in own.run("mirror", "check").stdout, "the death to be noticed")
    damage(own.folder / "data" / "mirror")
    differing = own.run("mirror", "check")
    assert differing.returncode == 1
    assert f"Page {page_id}, messenger: 1 documents missing" in differing.stdout
    assert "1 documents unlike the store's" in differing.stdout
    rebuilt = own.run("mirror", "rebuild")
    assert (rebuilt.returncode, "agrees with the store" in rebuilt.stdout) == (0, True)
    own.start("web", "core", "web")
    own.wait_until_ready()
    assert len(found(api, page_id)) == 2
    again = own.run("mirror", "rebuild")
    assert (again.returncode, "agrees with the store" in again.stdout) == (0, True)
    assert len(found(api, page_id)) == 2


def damage(mirror: Path) -> None:
    """Delete one chunk from the only folder's collection, and change another's text."""
    import chromadb
    from chromadb.config import Settings

    (folder,) = [path for path in mirror.glob("process-0/*") if path.is_dir()]
    quiet = Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(path=str(folder), settings=quiet)
    for name in [collection.name for collection in client.list_collections()]:
        collection = client.get_collection(name, embedding_function=None)
        ids = collection.get(include=[])["ids"]
        if ids:
            collection.delete(ids=ids[:1])
            elsewhere = [[1.0] + [0.0] * 383]
            collection.update(ids=ids[1:2], embeddings=elsewhere, documents=["something else"])


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
