"""``/api/dashboard/uploads``: the files that links of type ``file`` read."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile

from core.api.access import ActingParam
from core.store import Document

PATH = "/dashboard/uploads"

router = APIRouter(prefix=PATH, tags=["Uploads"])


@router.post("", status_code=201)
def upload_file(
    acting: ActingParam,
    file: Annotated[UploadFile, File(description="JSON, JSON lines, CSV, XLSX, XML or text")],
    link_id: Annotated[
        str | None, Form(max_length=100, description="The file link to read this one from now on")
    ] = None,
) -> dict[str, Any]:
    """Keep a file. With ``link_id`` it takes the place of the one that the link reads."""
    content = file.file.read()
    name = file.filename or "upload"
    if link_id is None:
        return {"upload": upload_view(acting.upload(name, content))}
    upload, link = acting.replace_upload(link_id, name, content)
    return {"upload": upload_view(upload), "link_id": link.link.link_id}


def upload_view(upload: Document) -> dict[str, Any]:
    """What is told of an upload."""
    return {
        "upload_id": upload["_id"],
        "name": upload["name"],
        "size": upload["size"],
        "sha256": upload["sha256"],
        "url": f"upload:{upload['name']}",
    }
