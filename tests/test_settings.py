"""Settings: each is documented, and unusable values are refused at start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.connectors.registry import connector_of
from core.links.schema import IncrementalBody, NewLinkBody, PaginationBody
from core.models import LinkType
from core.settings import Settings

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name.upper()}`" in (ROOT / "docs" / "settings.md").read_text()


@pytest.mark.parametrize(
    "name", [*NewLinkBody.model_fields, *PaginationBody.model_fields, *IncrementalBody.model_fields]
)
def test_every_field_of_a_link_is_documented(name: str) -> None:
    assert re.search(rf"\b{name}\b", (ROOT / "docs" / "links.md").read_text())


@pytest.mark.parametrize("kind", list(LinkType))
def test_every_option_of_every_connector_is_documented(kind: LinkType) -> None:
    text = (ROOT / "docs" / "connectors.md").read_text()
    options = connector_of(kind).options.model_fields
    assert [name for name in options if f"`{name}`" not in text and f'"{name}"' not in text] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "70000"),
        ("SYNC_INTERVAL_MINUTES", "0"),
        ("SYNC_INTERVAL_MINUTES", "often"),
        ("SYNC_WORKERS", "0"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_an_unusable_setting_stops_the_start_and_is_named(
    name: str, value: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "core", "scheduler", "--once"],
        cwd=ROOT,
        env={"PATH": "/usr/bin", "DATA_DIR": str(tmp_path / "data"), name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"The setting {name} is not usable" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
