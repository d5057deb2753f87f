"""``/api/dashboard/pages``: a company's Facebook pages."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from core.api.access import DeskParam, Operator, Viewer
from core.api.schemas import NewPage

router = APIRouter(prefix="/dashboard/pages", tags=["pages"])


@router.get("")
def list_pages(desk: DeskParam, user: Viewer) -> dict[str, Any]:
    """The company's pages."""
    company = desk.companies.get(user.company_id)
    pages = [{"page_id": p["page_id"], "page_name": p["page_name"]} for p in company["pages"]]
    return {
        "company_id": company["company_id"],
        "company_name": company["company_name"],
        "pages": pages,
        "total": len(pages),
    }


@router.post("", status_code=201)
def add_page(desk: DeskParam, user: Operator, body: NewPage) -> dict[str, Any]:
    """Add a page."""
    page = desk.companies.add_page(user.company_id, body.page_id, body.page_name)
    return {
        "message": "Page added successfully",
        "page": {"page_id": page["page_id"], "page_name": page["page_name"]},
    }
