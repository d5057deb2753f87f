"""Companies and their pages (collection ``companies``, one document per company).

A company document changes by read, edit, and an update that only matches the revision that was
read: of two people changing at once, the second one's change is made on top of the first's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, NotFound
from core.security.accounts import DEFAULT_COMPANY
from core.store import Database, Document, insert
from core.together import Asked, Together

T = TypeVar("T")
Change = Callable[[Document], Any]

# Whatever the stamp says, no longer than this: two writers that die at once could leave it even,
# and other programs that write to the collection know of no stamp.
SEEN_SECONDS = 15.0

LINK_LISTS = ("facebook_crm_links", "messenger_crm_links", "crm_links")


class Companies:
    """The company documents."""

    def __init__(self, database: Database) -> None:
        self._companies = database["companies"]
        self._stamps = database["company_stamps"]
        self._seen: dict[str, tuple[int, float, Document]] = {}
        self._edits: dict[str, Together[Change, Any]] = {}
        self._ids: tuple[dict[str, int], float, list[str]] | None = None

    def get(self, company_id: str) -> Document:
        """The company's document, for reading only; one without pages when it has none yet.

        With a thousand links it takes tens of milliseconds to read, and every page and call needs
        it: it is read again only when its stamp has moved. Writers raise the stamp before and after
        they write, so that whoever asks after a change sees it; one that dies between the two
        leaves an odd stamp, with which nothing is taken from memory.
        """
        stamp = self._stamp(company_id)
        seen = self._seen.get(company_id)
        if (
            seen is not None
            and seen[0] == stamp
            and stamp % 2 == 0
            and time.monotonic() - seen[1] < SEEN_SECONDS
        ):
            return seen[2]
        document = self._companies.find_one({"company_id": company_id})
        if document is None:
            return _new_company(company_id)
        if seen is not None and seen[2] == document:
            # What others made of it holds as well.
            document = seen[2]
        self._seen[company_id] = (stamp, time.monotonic(), document)
        return document

    def stamps(self) -> dict[str, int]:
        """A number for each company that has changed; it moves with each change."""
        return {stamp["_id"]: int(stamp["number"]) for stamp in self._stamps.find({})}

    def all(self) -> list[Document]:
        """Every company's document."""
        return list(self._companies.find({}))

    def ids(self) -> list[str]:
        """Every company's id; read again, as ``get`` does, when a stamp has moved."""
        stamps, now = self.stamps(), time.monotonic()
        if self._ids is None or self._ids[0] != stamps or now - self._ids[1] > SEEN_SECONDS:
            found = self._companies.find({}, {"company_id": 1})
            self._ids = (stamps, now, [str(company["company_id"]) for company in found])
        return self._ids[2]

    def page(self, company_id: str, page_id: str) -> Document:
        """One page of the company. Raises NotFound, saying how to add it."""
        return find_page(self.get(company_id), page_id)

    def add_page(self, company_id: str, page_id: str, page_name: str) -> Document:
        """Add a page. Raises Conflict when it is there already."""

        def add(company: Document) -> Document:
            if any(page["page_id"] == page_id for page in company["pages"]):
                raise Conflict(
                    f"Page {page_id} is there already.", action="Add links to it as it is."
                )
            page: Document = {"page_id": page_id, "page_name": page_name}
            page |= {name: [] for name in LINK_LISTS}
            company["pages"].append(page)
            return page

        return self.edit(company_id, add)

    def rename(self, company_id: str, company_name: str) -> str:
        """Give the company another name; the one before."""

        def change(company: Document) -> str:
            before = str(company["company_name"])
            company["company_name"] = company_name
            return before

        return self.edit(company_id, change)

    def rename_page(self, company_id: str, page_id: str, page_name: str) -> str:
        """Give a page another name; the one before. Raises NotFound."""

        def change(company: Document) -> str:
            page = find_page(company, page_id)
            before = str(page["page_name"])
            page["page_name"] = page_name
            return before

        return self.edit(company_id, change)

    def delete_page(self, company_id: str, page_id: str) -> None:
        """Delete a page. Raises NotFound, and Conflict while it has links."""

        def change(company: Document) -> None:
            page = find_page(company, page_id)
            if any(page.get(name) for name in LINK_LISTS):
                raise Conflict(f"Page {page_id} still has CRM links.", action="Delete those first.")
            company["pages"].remove(page)

        self.edit(company_id, change)

    def edit(self, company_id: str, change: Callable[[Document], T]) -> T:
        """Apply ``change`` to the company's document, in place, and store it as one atomic update.

        ``change`` is called again on the newer document if someone else's change came first; what
        it raises stops the edit and nothing is stored. Threads that edit at the same time share an
        update: with a thousand links it takes a fifth of a second.
        """
        edits: Together[Change, Any] = Together(lambda asked: self._edit(company_id, asked))
        result: T = self._edits.setdefault(company_id, edits).do(change)
        return result

    def _edit(self, company_id: str, asked: Sequence[Asked[Change, Any]]) -> None:
        while edits := [one for one in asked if not one.is_over]:
            company = self._companies.find_one({"company_id": company_id})
            is_new = company is None
            company = company or _new_company(company_id)
            company.setdefault("pages", [])
            revision = company.get("rev")
            results = _apply(edits, company)
            if results is None:
                # What one that raises has changed before is nobody's wish: all others once more.
                continue
            if is_new:
                is_stored = self._insert(company_id, company)
            else:
                company["rev"] = (revision or 0) + 1
                is_stored = self._replace(company_id, revision, company)
            if is_stored:
                for edit, result in zip(edits, results, strict=True):
                    edit.answer(result)

    def _insert(self, company_id: str, company: Document) -> bool:
        self._move_stamp(company_id)
        try:
            insert(self._companies, company)
        except DuplicateKeyError:
            return False
        finally:
            self._move_stamp(company_id)
        return True

    def _replace(self, company_id: str, revision: int | None, company: Document) -> bool:
        found = {"_id": company["_id"], "rev": revision}
        before, is_stored = self._move_stamp(company_id), False
        try:
            # Set, not replaced: the embedded engine reads the whole collection for a replacement.
            # No change takes a field of the company itself away.
            fields = {name: value for name, value in company.items() if name != "_id"}
            is_stored = self._companies.update_one(found, {"$set": fields}).matched_count == 1
            return is_stored
        finally:
            after = self._move_stamp(company_id)
            if is_stored and after == before + 1:
                # Nobody else has written meanwhile, so this is what would be read.
                self._seen[company_id] = (after, time.monotonic(), company)

    def _stamp(self, company_id: str) -> int:
        stamp = self._stamps.find_one({"_id": company_id})
        return int(stamp["number"]) if stamp else 0

    def _move_stamp(self, company_id: str) -> int:
        stamp = self._stamps.find_one_and_update(
            {"_id": company_id}, {"$inc": {"number": 1}}, upsert=True, return_document=True
        )
        return int((stamp or {})["number"])


def find_page(company: Document, page_id: str) -> Document:
    """The page of a company's document. Raises NotFound, saying how to add it."""
    for page in company.get("pages", ()):
        if page["page_id"] == page_id:
            found: dict[str, Any] = page
            return found
    raise NotFound(
        f"There is no page {page_id}.",
        action='Add it on the Pages screen, or with POST /api/dashboard/pages {"page_id": '
        f'"{page_id}", "page_name": "…"}}.',
    )


def _apply(edits: Sequence[Asked[Change, Any]], company: Document) -> list[Any] | None:
    """The results of all; None when one was refused, for what it raised."""
    results = []
    for edit in edits:
        try:
            results.append(edit.what(company))
        except Exception as error:
            edit.refuse(error)
            return None
    return results


def _new_company(company_id: str) -> Document:
    name = "My company" if company_id == DEFAULT_COMPANY else company_id
    return {
        "_id": company_id,
        "company_id": company_id,
        "company_name": name,
        "pages": [],
        "rev": 0,
    }
