"""What answers look like: plain dictionaries without a secret in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from core.bot.merge import MergedLine
from core.bot.reply import Reply
from core.desk import Desk
from core.leases import NEVER
from core.links import masked, masked_options, public_headers
from core.models import Channel, FetchOptions, PageLink
from core.retrieval.retrieve import Hit
from core.security.secrets import MASK
from core.status import sync_status
from core.store import Document


def moment(seconds: float | None) -> str | None:
    """Seconds since 1970 in ISO 8601, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def link_view(
    desk: Desk, link: PageLink, state: Mapping[str, Any] | None, channel: Channel | None = None
) -> dict[str, Any]:
    """A link with its sync state; ``is_active`` is that of ``channel``, if one is asked for."""
    own = link.link
    return {
        "link_id": own.link_id,
        "name": own.name,
        "url": own.url,
        "type": own.type.value,
        "channels": [name.value for name in link.channels],
        "channel_status": {name.value: active for name, active in link.channels.items()},
        "api_key": MASK if own.api_key else None,
        "headers": public_headers(own),
        "description": own.description,
        "is_active": link.channels[channel] if channel else link.is_active,
        "is_legacy": link.legacy,
        "sync_interval_minutes": own.sync_interval_minutes,
        "shrink_threshold": own.shrink_threshold,
        **fetch_view(own.fetch),
        "options": masked_options(own),
        "transform": [dict(step) for step in own.transform],
        "validation": dict(own.validation),
        "match_key": own.match_key,
        "redaction": [dict(rule) for rule in own.redaction],
        "revision": own.revision,
        "created_at": own.created_at.isoformat() if own.created_at else None,
        "sync": sync_view(desk, link, state),
    }


def fetch_view(options: FetchOptions) -> dict[str, Any]:
    """How a link is asked; secret parameters masked."""
    stored = options.to_document()
    body = json.loads(options.body) if options.body is not None else None
    return {**stored, "params": masked(options.params), "body": body}


def sync_view(desk: Desk, link: PageLink, state: Mapping[str, Any] | None) -> dict[str, Any]:
    """How the link's sync stands."""
    if state is None:
        state = {}
    due_at = state.get("due_at")
    last_success = state.get("last_success_at")
    return {
        "status": sync_status(link, state, desk.settings),
        "documents": state.get("documents", 0),
        "records": state.get("records", 0),
        "records_at": state.get("records_at"),
        "failures": state.get("failures", 0),
        "last_synced_at": moment(state.get("last_synced_at")),
        "last_success_at": moment(last_success),
        "next_sync_at": moment(due_at) if due_at and due_at < NEVER else None,
        "last_error": state.get("last_error"),
    }


def run_view(run: Document, *, with_lines: bool = True) -> dict[str, Any]:
    """A sync run."""
    lines = [{**line, "at": moment(line["at"])} for line in run["lines"]]
    view = {
        "run_id": run["_id"],
        "page_id": run["page_id"],
        "link_id": run["link_id"],
        "link_name": run["link_name"],
        "trigger": run["trigger"],
        "state": run["state"],
        "step": run["step"],
        "steps": steps_view(run),
        "progress": run["progress"],
        "counts": run["counts"],
        "queued_at": moment(run["queued_at"]),
        "started_at": moment(run["started_at"]),
        "finished_at": moment(run["finished_at"]),
        "duration_seconds": duration(run),
        "error": run["error"],
        "decision": run.get("decision"),
        "changes_total": run.get("changes_total", 0),
        "field_changes": run.get("field_changes", []),
        "set_aside": run.get("set_aside", []),
        "retry_at": moment(run["retry_at"]),
    }
    return view | {"lines": lines} if with_lines else view


def steps_view(run: Document) -> list[dict[str, Any]]:
    """The run's steps with how long each took, in seconds."""
    ends = [step["at"] for step in run["steps"][1:]] + [run["finished_at"]]
    return [
        {
            "step": step["step"],
            "at": moment(step["at"]),
            "seconds": None if end is None else round(float(end - step["at"]), 3),
        }
        for step, end in zip(run["steps"], ends, strict=False)
    ]


def duration(run: Document) -> float | None:
    """How long a run that is over took, in seconds."""
    if run["started_at"] is None or run["finished_at"] is None:
        return None
    return round(float(run["finished_at"] - run["started_at"]), 3)


def hit_view(hit: Hit) -> dict[str, Any]:
    """A chunk that was found."""
    return {
        "text": hit.text,
        "score": hit.score,
        "link_id": hit.link_id,
        "link_name": hit.link_name,
        "path": hit.path,
        "synced_at": hit.synced_at.isoformat() if hit.synced_at else None,
        "stale": hit.stale,
        "failing": hit.failing,
    }


def reply_view(reply: Reply) -> dict[str, Any]:
    """A reply with its citations and what it is made of."""
    return {
        "reply": reply.text,
        "reply_id": reply.reply_id,
        "known": reply.is_known,
        "worded_by": reply.worded_by,
        "citations": [asdict(one) for one in reply.citations],
        "merged": [merged_view(line) for line in reply.merged],
        "context": [hit_view(hit) for hit in reply.context],
    }


def kept_reply_view(kept: Document) -> dict[str, Any]:
    """A reply as it was given, with what it was made of."""
    context = [{**one, "synced_at": moment(one["synced_at"])} for one in kept["context"]]
    copied = ("page_id", "channel", "message", "reply", "known", "worded_by", "citations")
    return {
        "reply_id": kept["_id"],
        "at": moment(kept["at"]),
        "asked_by": kept["asked_by"],
        **{name: kept[name] for name in copied},
        "context": context,
    }


def merged_view(line: MergedLine) -> dict[str, Any]:
    """A line of what several links say of one customer."""
    return {
        "field": line.field,
        "value": line.value,
        "line": line.line,
        "link_id": line.link_id,
        "link_name": line.link_name,
        "path": line.path,
        "updated_at": line.updated_at.isoformat(),
        "contradicts": line.contradicts,
    }


def trial_view(trial: Document) -> dict[str, Any]:
    """A dry run: its state, and what came of it."""
    return {
        "trial_id": trial["_id"],
        "state": trial["state"],
        "error": trial["error"],
        **(trial["result"] or {}),
    }


def question_view(question: Document) -> dict[str, Any]:
    """A saved question with what was found the last time."""
    last = question["last"]
    return {
        "question_id": question["_id"],
        "page_id": question["page_id"],
        "channel": question["channel"],
        "question": question["question"],
        "last": {**last, "at": moment(last["at"])} if last else None,
        "changes": question["changes"],
        "expected": question.get("expected") or {"text": "", "path": ""},
        "passed": question.get("passed"),
    }


def erasure_view(erasure: Document) -> dict[str, Any]:
    """An erasure, without the value that it is about."""
    return {
        "erasure_id": erasure["_id"],
        "by": erasure["by"],
        "at": moment(erasure["at"]),
        "finished_at": moment(erasure.get("finished_at")),
        "state": erasure["state"],
        "report": erasure["report"],
    }


def message_view(message: Document) -> dict[str, Any]:
    """A message that came in on a page's channel, and what became of it."""
    copied = ("page_id", "channel", "conversation_id", "sender_id", "sender_name", "text", "state")
    return {
        "message_id": message["_id"],
        "at": moment(message["at"]),
        **{name: message[name] for name in copied},
        "reply": message["reply"],
        "reply_id": message["reply_id"],
        "reason": message["reason"],
        "attempts": message["attempts"],
        "sent_id": message["sent_id"],
    }


def conversation_view(conversation: Document) -> dict[str, Any]:
    """Who a page talks with."""
    customer = conversation["customer"]
    return {
        "conversation_id": conversation["_id"],
        "page_id": conversation["page_id"],
        "sender_id": conversation["sender_id"],
        "name": conversation["name"],
        "customer": customer and {**customer, "at": moment(customer["at"])},
        "handed_over": conversation["handed_over"],
        "last_at": moment(conversation["last_at"]),
    }
