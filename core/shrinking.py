"""Answers with far fewer records than are served: a person decides whether the CRM is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import EmptyAnswer, Held, LimitExceeded
from core.models import CrmLink
from core.text.prepare import Prepared

# Fewer than this share of the records served, and a person decides.
SHRINK_THRESHOLD = 0.5


def check_size(
    link: CrmLink, prepared: Prepared, state: Mapping[str, Any], max_records: int
) -> None:
    """Refuse an answer that is too large, and one that is too small to be taken unasked.

    ``state`` is the link's. Raises LimitExceeded, EmptyAnswer, Held.
    """
    count, served = prepared.record_count, int(state["records"])
    if count > max_records:
        raise LimitExceeded(
            f"The answer has {count:,} records, more than {max_records:,}.",
            action="Ask for less at once, or raise MAX_RECORDS.",
        )
    accepted = state.get("accepted_records")
    if accepted is not None and count >= accepted:
        return
    if not state["live_generation"]:
        if prepared.records.is_empty:
            raise EmptyAnswer(
                "The CRM answered, but there is no record in it.",
                action="Check that the key may read the records, and that there are any.",
            )
        return
    if is_shrunk(link, prepared, served):
        raise Held(
            f"The CRM answered with {count} records; {served} are served.",
            records=count,
            action="What was synced before is kept. If the CRM is right, approve the run.",
        )


def is_shrunk(link: CrmLink, prepared: Prepared, served: int) -> bool:
    """Whether there are so few records, beside those that are served, that a person decides."""
    share = SHRINK_THRESHOLD if link.shrink_threshold is None else link.shrink_threshold
    is_emptied = prepared.records.is_empty and served > 0
    return is_emptied or prepared.record_count < served * share
