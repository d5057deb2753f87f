"""CRM links: registering them, and how they are described and stored."""

from core.links.described import NewLink, unsaved
from core.links.documents import company_links, link_facts, page_links
from core.links.registry import Links
from core.links.secrets import masked, masked_options, public_headers

__all__ = [
    "Links",
    "NewLink",
    "company_links",
    "link_facts",
    "masked",
    "masked_options",
    "page_links",
    "public_headers",
    "unsaved",
]
