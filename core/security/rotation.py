"""Changing the key that secrets are encrypted with: ``python -m core secrets rotate``.

Every stored secret is encrypted again with the new key. The key before stays readable until the
next rotation, for what a running process still writes with it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.companies import LINK_LISTS, Companies
from core.links.secrets import map_secrets
from core.security.secrets import SecretBox, is_sealed
from core.store import Database

# Beside the links: which fields of which documents are encrypted
_SEALED_FIELDS: Mapping[str, Sequence[str]] = {
    "installation": ("value",),
    "erasures": ("value",),
    "oauth_tokens": ("access", "refresh"),
    "oauth_states": ("verifier",),
    "webhook_events": ("body",),
    "webhook_records": ("record",),
    "upload_parts": ("data",),
    "page_bots": ("token",),
}


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
                        map_secrets(entry, reseal)

        companies.edit(company["company_id"], change)
    for stored in list(database["link_trials"].find({})):
        map_secrets(stored["draft"], reseal)
        database["link_trials"].update_one(
            {"_id": stored["_id"]}, {"$set": {"draft": stored["draft"]}}
        )
    for collection, names in _SEALED_FIELDS.items():
        documents = database[collection]
        for stored in list(documents.find({})):
            fields = {name: reseal(stored[name]) for name in names if stored.get(name)}
            if fields:
                documents.update_one({"_id": stored["_id"]}, {"$set": fields})
    return count
