"""Parts of the product in the test's own process, over the real store, mirror and model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.desk import Desk
from core.links import NewLink
from core.models import Channel, PageLink
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.vectors.embed import Embedder

PAGE = "123"


@dataclass
class Inside:
    """One process's worth of the product; several may share ``folder``."""

    folder: Path
    hosts: str
    embedder: Embedder
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fields = {"data_dir": self.folder, "crm_allowed_hosts": self.hosts}
        settings = Settings(**(fields | self.settings))
        self.desk = Desk(settings, self.embedder)
        self._others: list[Inside] = []

    def other(self) -> Inside:
        """Another process's worth, over the same store; closed with this one."""
        self._others.append(Inside(self.folder, self.hosts, self.embedder, self.settings))
        return self._others[-1]

    def close(self) -> None:
        """Let go of the mirrors."""
        for one in (self, *self._others):
            one.desk.mirror.close()

    def add_link(self, url: str, **fields: Any) -> PageLink:
        if not self.desk.companies.get(DEFAULT_COMPANY)["pages"]:
            self.desk.companies.add_page(DEFAULT_COMPANY, PAGE, "Page")
        link = NewLink("Customers", url, **fields)
        return self.desk.links.add(DEFAULT_COMPANY, PAGE, [Channel.MESSENGER], link)

    def served(self, link: PageLink) -> set[str]:
        """The texts that the document details call gives."""
        links = [self.desk.links.get(DEFAULT_COMPANY, link.link.link_id)]
        documents, _ = self.desk.served.documents(links, limit=10_000, cursor=None)
        return {document.text for document in documents}

    def found(self) -> set[str]:
        """The texts that a search finds."""
        retriever = self.desk.retriever
        found = retriever.search(DEFAULT_COMPANY, PAGE, Channel.MESSENGER, "Who is it?", 1000)
        return {hit.text for hit in found.hits}

    def runs(self, link: PageLink) -> list[dict[str, Any]]:
        """The link's runs, oldest first."""
        runs = self.desk.runs.find(DEFAULT_COMPANY, link_id=link.link.link_id, limit=1000)
        return list(reversed(runs))

    def stored(self, link: PageLink) -> list[dict[str, Any]]:
        """All of the link's vector documents, of whatever generation."""
        return list(self.desk.database["vector_documents"].find({"link_id": link.link.link_id}))
