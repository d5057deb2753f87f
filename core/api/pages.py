"""``/api/dashboard/pages``: a company's Facebook pages, and how everything is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from core.api.access import ActingParam
from core.api.schemas import NewPage, PageName
from core.api.views import moment
from core.links.schema import PageId

router = APIRouter(prefix="/dashboard", tags=["pages"])


@router.get("/pages")
def list_pages(acting: ActingParam) -> dict[str, Any]:
    """The company's pages."""
    company = acting.reading.companies.get(acting.user.company_id)
    pages = [{"page_id": p["page_id"], "page_name": p["page_name"]} for p in company["pages"]]
    return {
        "company_id": company["company_id"],
        "company_name": company["company_name"],
        "pages": pages,
        "total": len(pages),
    }


@router.post("/pages", status_code=201)
def add_page(acting: ActingParam, body: NewPage) -> dict[str, Any]:
    """Add a page."""
    page = acting.add_page(body.page_id, body.page_name)
    return {
        "message": "Page added successfully",
        "page": {"page_id": page["page_id"], "page_name": page["page_name"]},
    }


@router.put("/pages/{page_id}")
def rename_page(acting: ActingParam, page_id: PageId, body: PageName) -> dict[str, Any]:
    """Give a page another name."""
    acting.rename_page(page_id, body.page_name)
    return {"message": "Page renamed successfully", "page_id": page_id}


@router.delete("/pages/{page_id}")
def delete_page(acting: ActingParam, page_id: PageId) -> dict[str, Any]:
    """Delete a page that has no CRM links any more."""
    acting.delete_page(page_id)
    return {"message": "Page deleted successfully", "page_id": page_id}


@router.get("/overview")
def overview(acting: ActingParam) -> dict[str, Any]:
    """Links by status, what needs a person first, and the last seven days."""
    look = acting.reading.overviews.look(acting.user.company_id)
    return {
        "links": look.counts,
        "documents": look.documents,
        "records": look.records,
        "concerns": [
            {
                "link_id": one.link.link.link_id,
                "link_name": one.link.link.name,
                "page_id": one.link.page_id,
                "status": one.status,
                "cause": one.cause,
                "detail": one.detail,
                "who": one.who,
                "retry_at": moment(one.retry_at),
                "last_success_at": moment(one.since),
            }
            for one in look.concerns
        ],
        "days": [
            {
                "day": moment(day.start),
                "runs": day.runs,
                "success_rate": day.success_rate,
                "freshness": day.freshness,
            }
            for day in look.days
        ],
    }
