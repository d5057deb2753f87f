"""What an event says: which record, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.connectors.webhook.inbox import Change
from core.connectors.webhook.signatures import Scheme
from core.errors import NotReadable
from core.text.decode import Pairs, parse_json
from core.text.raw import raw_json
from core.text.select import first_value, select_records

# Where a scheme's events have the record, its id, and the name of what happened.
RECORD_PATHS: Mapping[Scheme, str] = {
    Scheme.STANDARD: "$.data",
    Scheme.STRIPE: "$.data.object",
    Scheme.HUBSPOT: "$[*]",
}
ID_PATHS: Mapping[Scheme, str] = {Scheme.HUBSPOT: "$.objectId"}
NAME_HEADERS = ("x-shopify-topic", "x-github-event", "x-event-type")
NAME_PATHS = ("$.type", "$.event", "$.subscriptionType", "$.action")
_DELETES = re.compile(r"(delete|deleted|deletion|removed|privacyDeletion)$", re.I)


def event_name(headers: Mapping[str, str], body: Any) -> str:
    """What happened, in the sender's words: from a header, or the body; empty when not said."""
    for header in NAME_HEADERS:
        if headers.get(header):
            return headers[header][:200]
    for path in NAME_PATHS:
        found = first_value(body, path)
        if isinstance(found, str):
            return found[:200]
    return ""


def changes_of(
    body: str,
    name: str,
    scheme: Scheme,
    options: Mapping[str, Any],
    stored: Mapping[str, str | None],
) -> list[Change]:
    """The changes that an event stands for. ``stored`` are records known so far, by id.

    HubSpot tells one property at a time: it is added to the record. Raises NotReadable when there
    is no record with an id.
    """
    value = parse_json(body)
    record_path = options.get("record_path") or RECORD_PATHS.get(scheme, "$")
    id_path = options.get("id_path") or ID_PATHS.get(scheme, "$.id")
    changes: list[Change] = []
    known = dict(stored)
    for record in _records(value, record_path):
        found = first_value(record, id_path)
        if not isinstance(found, str) or not found:
            raise NotReadable(
                f"An event has no record with an id at {id_path}.",
                action="Correct the link's record path and id path.",
            )
        record_id = str(found)
        own_name = name
        if scheme is Scheme.HUBSPOT:
            own_name = str(first_value(record, "$.subscriptionType") or name)
        if is_deletion(own_name, options.get("delete_events")):
            known[record_id] = None
        elif scheme is Scheme.HUBSPOT:
            known[record_id] = _with_property(known.get(record_id), record_id, record)
        else:
            known[record_id] = raw_json(record)
        changes.append(Change(record_id, known[record_id]))
    return changes


def record_ids(body: str, scheme: Scheme, options: Mapping[str, Any]) -> list[str]:
    """The ids of the records that an event is about."""
    value = parse_json(body)
    record_path = options.get("record_path") or RECORD_PATHS.get(scheme, "$")
    id_path = options.get("id_path") or ID_PATHS.get(scheme, "$.id")
    return [str(first_value(record, id_path)) for record in _records(value, record_path)]


def is_deletion(name: str, declared: Sequence[str] | None) -> bool:
    """Whether an event of this name deletes its record; ``declared`` names those that do."""
    return name in declared if declared else bool(_DELETES.search(name))


def _records(value: Any, path: str) -> list[Any]:
    if path == "$":
        return [value] if isinstance(value, Pairs) else list(value or ())
    found = []
    for parts in select_records(value, path):
        record = value
        for part in parts:
            if isinstance(part, int):
                record = record[part]
            else:
                record = next(member for key, member in record if key == part)
        found.append(record)
    return found


def _with_property(stored: str | None, record_id: str, event: Any) -> str:
    """The record with the property that the event tells of."""
    members = parse_json(stored) if stored else Pairs([("id", record_id)])
    name = first_value(event, "$.propertyName")
    if isinstance(name, str):
        members = Pairs(
            [(key, value) for key, value in members if key != name]
            + [(name, first_value(event, "$.propertyValue"))]
        )
    return raw_json(members)
