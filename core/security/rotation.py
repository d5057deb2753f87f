"""Changing the key that secrets are encrypted with: ``python -m core secrets rotate``.

Every stored secret is encrypted again with the new key. The key before stays readable until the
next rotation, for what a running process still writes with it meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.companies import LINK_LISTS, Companies
from core.security.secrets import SecretBox, is_sealed
from core.store import Database


def reseal_everything(database: Database, companies: Companies, box: SecretBox) -> int:
    """Encrypt every stored secret with the first key; how many there were.

    Raises SecretUnreadable, before anything of that document is changed, when no key fits.
    """
    count = 0

    def reseal(value: str) -> str:
        nonlocal count
        count += is_sealed(value)
        return box.reseal(value)

    for company in companies.all():

        def change(document: dict[str, Any]) -> None:
            for page in document.get("pages", ()):
                for name in LINK_LISTS:
                    for entry in page.get(name) or ():
                        _reseal_link(entry, reseal)

        companies.edit(company["company_id"], change)
    for collection, field in (("link_trials", "draft"), ("installation", None), ("erasures", None)):
        documents = database[collection]
        for stored in list(documents.find({})):
            if field:
                _reseal_link(stored[field], reseal)
                fields = {field: stored[field]}
            else:
                fields = {"value": reseal(stored["value"])}
            documents.update_one({"_id": stored["_id"]}, {"$set": fields})
    return count


def _reseal_link(entry: dict[str, Any], reseal: Callable[[str], str]) -> None:
    if entry.get("api_key"):
        entry["api_key"] = reseal(entry["api_key"])
    entry["headers"] = {name: reseal(v) for name, v in (entry.get("headers") or {}).items()}
    fetch = entry.get("fetch")
    if fetch and fetch.get("params"):
        fetch["params"] = {name: reseal(v) for name, v in fetch["params"].items()}
