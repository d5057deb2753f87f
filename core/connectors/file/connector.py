"""The connector of file links: an upload, or a file at a web address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from core.connectors.addresses import check_web_address
from core.connectors.api.connector import ApiConnector, ApiOptions
from core.connectors.api.fetch import fetch_pages
from core.connectors.file.uploads import Uploads
from core.connectors.interface import Context, Fetched, Options, Validators
from core.connectors.paginators import SinglePage
from core.errors import InvalidRequest, NotReadable
from core.models import CrmLink
from core.security.network import AddressGuard
from core.text.formats import read

UPLOAD = "upload:"


class FileOptions(ApiOptions):
    """Which upload is read, for a link whose URL is ``upload:`` and a name of its own."""

    upload_id: str | None = Field(None, max_length=100)


class FileConnector(ApiConnector):
    """Fetches file links."""

    options: ClassVar[type[Options]] = FileOptions
    went_well: ClassVar[str] = "Read"

    def check(self, url: str, options: Mapping[str, Any], guard: AddressGuard) -> None:
        """Refuse what could not be read, as a person enters it. Raises InvalidRequest."""
        if not url.startswith(UPLOAD):
            check_web_address(url, guard)
        elif not options.get("upload_id"):
            raise InvalidRequest(
                "options.upload_id",
                "No file was uploaded.",
                action="Upload one first (POST /api/dashboard/uploads), or enter a web address.",
            )

    def fetch(self, link: CrmLink, context: Context) -> Fetched:
        """What the file holds; nothing new when the upload is the one that is served.

        Raises FetchError, NotReadable, or what cut the watch.
        """
        if not link.url.startswith(UPLOAD):
            name = urlsplit(link.url).path
            return fetch_pages(link, context, paginator=SinglePage(), name=name)
        upload_id = str(link.options["upload_id"])
        found = Validators(etag=upload_id)
        if context.validators and context.validators.etag == upload_id:
            return Fetched(None, 0, validators=found)
        uploads = Uploads(context.database, context.box, context.settings.max_upload_bytes)
        content = uploads.content(upload_id)
        if content is None:
            raise NotReadable(
                "The uploaded file is not kept any more: it was erased, or never came.",
                action="Upload it again. What was synced from it before is still served.",
            )
        answer = read(
            content,
            None,
            context.watch.check,
            declared=link.fetch.format,
            name=str(uploads.get(upload_id)["name"]),
        )
        return Fetched(answer, len(content), validators=found)
