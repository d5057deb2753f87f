"""Which connector fetches which type of link: a new one is listed here."""

from __future__ import annotations

from collections.abc import Mapping

from core.connectors.api.connector import ApiConnector
from core.connectors.database.connector import DatabaseConnector
from core.connectors.file.connector import FileConnector
from core.connectors.graphql.connector import GraphqlConnector
from core.connectors.interface import Connector
from core.connectors.webhook.connector import WebhookConnector
from core.models import LinkType

CONNECTORS: Mapping[LinkType, Connector] = {
    LinkType.API: ApiConnector(),
    LinkType.GRAPHQL: GraphqlConnector(),
    LinkType.WEBHOOK: WebhookConnector(),
    LinkType.DATABASE: DatabaseConnector(),
    LinkType.FILE: FileConnector(),
}


def connector_of(kind: LinkType) -> Connector:
    """The connector of a link type."""
    return CONNECTORS[kind]
