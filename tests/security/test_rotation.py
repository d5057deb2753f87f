"""Rotating the key of a running product, and secrets that stay in the environment."""

from __future__ import annotations

from pathlib import Path

from tests.product import Product
from tests.servers.crm import Crm, customers


def test_a_running_product_goes_on_with_a_rotated_key(tmp_path: Path, crm: Crm, path: str) -> None:
    own = Product(tmp_path, {"CRM_ALLOWED_HOSTS": crm.hosts, "SHOP_TOKEN": "secret-from-env"})
    url = crm.serve(path, customers("John"))
    other = crm.serve(f"{path}/env", customers("Jane"))
    try:
        own.start_all()
        api = own.sign_in()
        page_id = api.add_page()
        secrets = {"api_key": "secret-key-1", "headers": {"X-Api-Key": "secret-key-2"}}
        link = api.add_link(page_id, url, params={"token": "secret-key-3"}, **secrets)
        api.ended_run(link["link_id"])
        stored = (tmp_path / "data" / "secret.key").read_text()
        done = own.run("secrets", "rotate")
        assert done.returncode == 0, done.stderr
        assert "4 secrets are encrypted with the new key." in done.stdout
        assert (tmp_path / "data" / "secret.key").read_text() != stored
        assert api.sync(link["link_id"])["state"] == "unchanged"
        assert own.run("secrets", "rotate").returncode == 0
        # Two rotations later the first key is gone, and everything still opens.
        assert stored.strip() not in (tmp_path / "data" / "secret.key").read_text()
        assert api.sync(link["link_id"])["state"] == "unchanged"
        asked = crm.asked(path)[-1]
        assert asked.headers["Authorization"] == "Bearer secret-key-1"
        assert asked.headers["X-Api-Key"] == "secret-key-2"
        assert asked.query["token"] == "secret-key-3"
        by_name = api.add_link(page_id, other, api_key="env:SHOP_TOKEN")
        assert by_name["api_key"] == "***"
        assert api.ended_run(by_name["link_id"])["state"] == "succeeded"
        sent = crm.asked(f"{path}/env")[-1].headers["Authorization"]
        assert sent == "Bearer secret-from-env"
        assert "api_key: env:SHOP_TOKEN" in api.get("/configuration").text
    finally:
        own.stop()
    files = [p for p in (tmp_path / "data").rglob("*") if p.is_file()]
    assert not any(b"secret-from-env" in p.read_bytes() for p in files)


def test_rotating_a_key_of_the_environment(tmp_path: Path, crm: Crm, path: str) -> None:
    own = Product(tmp_path, {"CRM_ALLOWED_HOSTS": crm.hosts, "SECRET_KEY": "first key"})
    url = crm.serve(path, customers("John"))
    try:
        own.start_all()
        api = own.sign_in()
        link = api.add_link(api.add_page(), url, api_key="secret-key-1")
        api.ended_run(link["link_id"])
        own.stop()
        own.environment |= {"SECRET_KEY": "second key", "SECRET_KEY_PREVIOUS": "first key"}
        assert own.run("secrets", "rotate").returncode == 0
        del own.environment["SECRET_KEY_PREVIOUS"]
        own.processes.clear()
        own.start_all()
        api = own.sign_in()
        assert api.sync(link["link_id"])["state"] == "unchanged"
        assert crm.asked(path)[-1].headers["Authorization"] == "Bearer secret-key-1"
    finally:
        own.stop()
