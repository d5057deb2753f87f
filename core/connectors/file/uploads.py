"""Uploaded files (collections ``uploads`` and ``upload_parts``).

An upload never changes; a link names the one it reads. So a newer one takes the place of the one
before at once, with the next sync. What no link names is forgotten after a day. Files are kept
before anything of them is redacted: they are encrypted like secrets.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable

from core.errors import InvalidRequest, NotFound, SyncError, TooLarge
from core.security.secrets import SecretBox
from core.store import Database, Document, insert
from core.text.decode import Json
from core.text.formats import read
from core.text.raw import raw_json

# A document may have 16 MiB in MongoDB; encrypted, a part takes 1.8 times its size.
PART = 4 * 1024 * 1024
KEEP_UNUSED_SECONDS = 24 * 3600.0


class Uploads:
    """The files that operators have uploaded."""

    def __init__(self, database: Database, box: SecretBox, max_bytes: int) -> None:
        self._box = box
        self._max_bytes = max_bytes
        self._uploads = database["uploads"]
        self._parts = database["upload_parts"]

    def add(self, company_id: str, name: str, content: bytes) -> Document:
        """Keep a file; its document. Raises InvalidRequest, TooLarge."""
        if len(content) > self._max_bytes:
            raise TooLarge(
                f"{name} is larger than {self._max_bytes:,} bytes.",
                action="Send less at once, or raise MAX_UPLOAD_BYTES.",
            )
        if not content.strip():
            raise InvalidRequest("file", f"{name} is empty.", action="Choose another file.")
        upload_id = "upload-" + secrets.token_hex(12)
        upload = {
            "_id": upload_id,
            "company_id": company_id,
            "name": name,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "at": time.time(),
        }
        # First what names the parts: dying in between leaves nothing that is not forgotten later.
        insert(self._uploads, upload)
        for number, start in enumerate(range(0, len(content), PART)):
            data = base64.b64encode(content[start : start + PART]).decode()
            part = {"upload_id": upload_id, "number": number, "data": self._box.seal(data)}
            insert(self._parts, part)
        return upload

    def get(self, upload_id: str, company_id: str | None = None) -> Document:
        """What is known of an upload. Raises NotFound."""
        upload = self._uploads.find_one({"_id": upload_id})
        if upload is None or (company_id is not None and upload["company_id"] != company_id):
            raise NotFound(f"There is no upload {upload_id}.", action="Upload the file again.")
        return upload

    def content(self, upload_id: str) -> bytes | None:
        """The file's bytes; None when they are gone, because they held an erased person."""
        upload = self._uploads.find_one({"_id": upload_id})
        if upload is None:
            return None
        parts = self._parts.find({"upload_id": upload_id}).sort("number", 1)
        content = b"".join(base64.b64decode(self._box.open(part["data"])) for part in parts)
        return content if len(content) == upload["size"] else None

    def erase(self, company_id: str, concerns: Callable[[str], bool]) -> int:
        """Forget the company's uploads of which ``concerns`` says so; how many there were.

        It is called with the file's text, or with what it holds as JSON.
        """
        erased = 0
        for upload in list(self._uploads.find({"company_id": company_id})):
            content = self.content(upload["_id"]) or b""
            if concerns(_as_text(content, str(upload["name"]))):
                self.drop(upload["_id"])
                erased += 1
        return erased

    def drop(self, upload_id: str) -> None:
        """Forget an upload's bytes, and that it was there."""
        self._uploads.delete_many({"_id": upload_id})
        self._parts.delete_many({"upload_id": upload_id})

    def prune(self, used: Iterable[str]) -> None:
        """Forget what is older than a day and not among ``used``."""
        named, before = set(used), time.time() - KEEP_UNUSED_SECONDS
        for upload in list(self._uploads.find({"at": {"$lt": before}}, {"_id": 1})):
            if upload["_id"] not in named:
                self.drop(upload["_id"])


def _as_text(content: bytes, name: str) -> str:
    try:
        found = read(content, None, name=name)
    except SyncError:
        return content.decode(errors="replace")
    return raw_json(found.value) if isinstance(found, Json) else found.value
