"""An OpenAI-compatible server that says what a test tells it to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.servers.crm import Answer, Crm, Request


@dataclass
class Model:
    """``says`` is the answer; ``{n}`` in it stands for the number of the record with that text."""

    crm: Crm
    says: str = "NOTHING"
    instead: Answer | None = None
    streams: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.crm.serve("/llm/v1/chat/completions", self._complete)

    @property
    def url(self) -> str:
        return f"http://{self.crm.host}/llm/v1"

    def _complete(self, request: Request) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.keys.append(headers.get("authorization", ""))
        self.asked.append(json.loads(request.body))
        if self.instead:
            return self.instead
        if not self.streams:
            return Answer({"choices": [{"message": {"content": self.says}}]})
        pieces = [self.says[at : at + 7] for at in range(0, len(self.says), 7)]
        events = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return Answer(body, content_type="text/event-stream")
