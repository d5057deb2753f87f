"""What belongs to this installation alone (collection ``installation``), encrypted."""

from __future__ import annotations

import secrets

from pymongo.errors import DuplicateKeyError

from core.security.secrets import SecretBox
from core.store import Database, insert

_HASH_KEY = "hash key"


def hash_key(database: Database, box: SecretBox) -> bytes:
    """The key of redaction hashes: made once, and the same after ``SECRET_KEY`` is rotated.

    Else every hashed value would change with the key, and be embedded again.
    """
    documents = database["installation"]
    found = documents.find_one({"_id": _HASH_KEY})
    if found is None:
        value = box.seal(secrets.token_hex(32))
        try:
            insert(documents, {"_id": _HASH_KEY, "value": value})
        except DuplicateKeyError:
            return hash_key(database, box)
        return bytes.fromhex(box.open(value))
    return bytes.fromhex(box.open(found["value"]))
