"""The Graph API as far as the bot uses it: it remembers what was sent, and fails on demand."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.servers.crm import Answer, Crm, Request


@dataclass
class Facebook:
    """One page on Facebook: people write to it, and its answers are kept."""

    crm: Crm
    address: str
    """The product's, where the webhooks go."""
    app_secret: str
    page_id: str
    token: str = "page-token-of-facebook"
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Newest last: ``to`` (a person or a comment), ``message``, ``id``."""
    failures: list[Answer] = field(default_factory=list)
    """What the next calls that send are answered instead."""
    breaks_after_sending: int = 0
    """So many of the next messages are taken, and the connection is then broken off."""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.crm.serve(f"/graph/{self.page_id}/messages", self._messages)
        self.crm.serve(f"/graph/{self.page_id}/conversations", self._conversations)

    def write(
        self, text: str, sender: str = "psid-1", message_id: str | None = None
    ) -> requests.Response:
        """Somebody writes to the page in Messenger."""
        message = {"mid": message_id or self.new_id(), "text": text}
        event = {"sender": {"id": sender}, "recipient": {"id": self.page_id}, "message": message}
        return self.post({"messaging": [event]})

    def comment(self, text: str, sender: str = "fan-1") -> str:
        """Somebody comments on a post; the comment's id."""
        comment_id = self.new_id()
        self.crm.serve(f"/graph/{comment_id}/comments", self._comments)
        value = {
            "item": "comment",
            "verb": "add",
            "comment_id": comment_id,
            "from": {"id": sender, "name": "Fan"},
            "message": text,
        }
        self.post({"changes": [{"field": "feed", "value": value}]}).raise_for_status()
        return comment_id

    def post(self, entry: dict[str, Any], secret: str | None = None) -> requests.Response:
        """Post a webhook, signed."""
        body = json.dumps({"object": "page", "entry": [{"id": self.page_id, **entry}]}).encode()
        key = (secret or self.app_secret).encode()
        signature = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": signature, "Content-Type": "application/json"}
        url = f"{self.address}/api/webhooks/facebook"
        return requests.post(url, data=body, headers=headers, timeout=30)

    def new_id(self) -> str:
        return f"{self.page_id}_{next(self._numbers)}"

    def _messages(self, request: Request) -> Answer:
        if refused := self._refusal(request):
            return refused
        body = json.loads(request.body)
        return self._keep(body["recipient"]["id"], body["message"]["text"], "message_id")

    def _comments(self, request: Request) -> Answer:
        comment_id = re.findall(r"/graph/(.*)/comments", request.path)[0]
        if request.method == "GET":
            return Answer({"data": self._answers(comment_id)})
        if refused := self._refusal(request):
            return refused
        return self._keep(comment_id, json.loads(request.body)["message"], "id")

    def _conversations(self, request: Request) -> Answer:
        answers = self._answers(request.query["user_id"])
        return Answer({"data": [{"messages": {"data": answers}}]})

    def _answers(self, to: str) -> list[dict[str, Any]]:
        own = [one for one in self.sent if one["to"] == to]
        return [
            {"id": one["id"], "message": one["message"], "from": {"id": self.page_id}}
            for one in reversed(own)
        ]

    def _refusal(self, request: Request) -> Answer | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        proof = hmac.new(self.app_secret.encode(), self.token.encode(), hashlib.sha256).hexdigest()
        if headers.get("authorization") != f"Bearer {self.token}":
            error = {"error": {"message": "Invalid OAuth access token.", "code": 190}}
            return Answer(error, status=400)
        assert request.query["appsecret_proof"] == proof
        return self.failures.pop(0) if self.failures else None

    def _keep(self, to: str, text: str, name: str) -> Answer:
        own = {"id": self.new_id(), "to": to, "message": text}
        self.sent.append(own)
        if self.breaks_after_sending:
            self.breaks_after_sending -= 1
            return Answer(reset=True)
        return Answer({name: own["id"]})
