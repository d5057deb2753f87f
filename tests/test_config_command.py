"""``python -m core config``: the configuration as a file, from one installation to another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.product import Product
from tests.servers.crm import Crm, customers

SECRETS = ("canary-key", "canary-header", "canary-client", "canary-hook")


@pytest.fixture
def source(tmp_path: Path, crm: Crm, path: str) -> Iterator[Product]:
    running = Product(tmp_path / "source", {"CRM_ALLOWED_HOSTS": crm.hosts})
    running.folder.mkdir()
    running.start_all()
    api = running.sign_in()
    api.post("/dashboard/pages", {"page_id": "77", "page_name": "Schöne Seite"})
    fields: dict[str, Any] = {
        "api_key": "canary-key",
        "headers": {"X-Api-Key": "canary-header", "X-Shop": "7"},
        "transform": [{"do": "rename", "field": "name", "to": "full_name"}],
        "validation": {"required": ["id"], "max_bad_share": 0.5},
        "match_key": "id",
        "is_active": False,
    }
    api.add_link("77", crm.serve(path, customers("John")), ["messenger", "facebook"], **fields)
    options = {"auth": "oauth2", "token_url": f"http://{crm.host}/token", "client_id": "desk"}
    options |= {"client_secret": "canary-client"}
    api.add_link("77", f"http://{crm.host}/two", name="Two", options=options, is_active=False)
    hook = {"scheme": "github", "secret": "canary-hook"}
    url = "https://shop.example.com"
    api.add_link("77", url, name="Hook", type="webhook", options=hook, is_active=False)
    yield running
    running.stop()


def test_it_goes_from_one_installation_to_another_and_again_changes_nothing(
    source: Product, tmp_path: Path, crm: Crm
) -> None:
    file = tmp_path / "desk.yaml"
    done = source.run("config", "export", "--env", str(file))
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert not any(secret in text + done.stdout + done.stderr for secret in SECRETS)
    names = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("Set ")]
    assert len(names) == 4
    assert "Schöne Seite" in text

    target = Product(tmp_path / "target", {"CRM_ALLOWED_HOSTS": crm.hosts})
    target.folder.mkdir()
    planned = target.run("config", "diff", str(file))
    assert planned.returncode == 1
    assert "add page 77" in planned.stdout
    assert target.run("config", "import", str(file)).returncode == 0
    again = target.run("config", "diff", str(file))
    assert (again.returncode, again.stdout) == (0, "0 changes, 3 as they are.\n"), again.stdout
    assert target.run("config", "import", str(file)).stdout == "0 changes, 3 as they are.\n"
    # What comes out again is what went in.
    out = target.run("config", "export")
    assert yaml.safe_load(out.stdout)["pages"] == yaml.safe_load(text)["pages"]
    # The variables are used when the link is synced.
    target.environment |= dict(zip(names, SECRETS, strict=True))
    switched = text.replace("messenger: false", "messenger: true", 1)
    file.write_text(switched)
    changed = target.run("config", "import", str(file))
    assert "change link Customers on page 77: channels" in changed.stdout
    assert target.run("scheduler", "--once").returncode == 0
    sent = crm.requests[-1].headers
    assert (sent["Authorization"], sent["X-Api-Key"]) == ("Bearer canary-key", "canary-header")


@pytest.mark.parametrize("text", ["", "version: 9", "[unclosed"])
def test_what_is_no_configuration_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    product = Product(tmp_path, {})
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    for command in ("import", "diff"):
        done = product.run("config", command, str(file))
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "The file is" in done.stderr
    assert product.run("config", "diff", str(tmp_path / "none.yaml")).returncode == 2
