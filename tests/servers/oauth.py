"""A CRM's authorization server (OAuth 2.0), which may be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.servers.crm import Answer, Crm, Request

CLIENT_ID, CLIENT_SECRET = "desk-client", "client-secret-1"


@dataclass
class Authorization:
    """Gives tokens at ``path``/token for the client alone; ``flaw`` is what it gets wrong."""

    crm: Crm
    path: str
    flaw: str = ""
    lifetime: int | None = 3600
    rotates: bool = True
    good: set[str] = field(default_factory=set)
    """The access tokens that hold now."""
    refresh: str | None = None
    """The refresh token that holds now."""
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.token_url = self.crm.serve(f"{self.path}/token", self._token)
        self.authorize_url = f"http://{self.crm.host}{self.path}/authorize"

    def options(self, **more: str) -> dict[str, str]:
        """The options of a link that asks here."""
        own = {"auth": "oauth2", "token_url": self.token_url}
        return own | {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | more

    def protect(self, answer: dict[str, object]) -> str:
        """Answer so to those with a token that holds; the URL."""

        def respond(request: Request) -> Answer:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            return Answer(answer) if token in self.good else Answer({"error": "no"}, 401)

        return self.crm.serve(f"{self.path}/customers", respond)

    def protect_pages(self, pages: list[list[object]]) -> str:
        """Answer one page after the other, each of which uses up the token; the URL."""

        def respond(request: Request) -> Answer:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.good:
                return Answer({"error": "no"}, 401)
            self.good.remove(token)
            number = int(request.query.get("page", "1"))
            is_last = number == len(pages)
            following = (
                None if is_last else f"http://{self.crm.host}{self.path}/pages?page={number + 1}"
            )
            return Answer({"customers": pages[number - 1], "next": following})

        return self.crm.serve(f"{self.path}/pages", respond)

    def asked(self) -> list[dict[str, str]]:
        """What came to the token endpoint."""
        return [_form(request) for request in self.crm.asked(f"{self.path}/token")]

    def consent(self, asked: Mapping[str, str]) -> str:
        """What a person who agrees brings back: a code."""
        code = f"code-{next(self._numbers)}"
        self.codes[code] = asked
        return code

    def _token(self, request: Request) -> Answer:
        sent = _form(request)
        if self.flaw == "down":
            return Answer("", 503)
        if self.flaw == "html":
            return Answer("<html>Sign in</html>", content_type="text/html")
        if self.flaw == "refuses" or not self._knows_client(request, sent):
            # A careless server that repeats what it was sent.
            return Answer({"error": "invalid_client", "error_description": CLIENT_SECRET}, 401)
        grant = sent["grant_type"]
        if grant == "refresh_token" and sent["refresh_token"] != self.refresh:
            return Answer({"error": "invalid_grant"}, 400)
        if grant == "authorization_code" and not self._redeems(sent):
            return Answer({"error": "invalid_grant"}, 400)
        number = next(self._numbers)
        access = f"access-{number}"
        self.good = {access}
        answer: dict[str, object] = {"access_token": access, "token_type": "Bearer"}
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        if grant != "client_credentials" and self.rotates:
            self.refresh = answer["refresh_token"] = f"refresh-{number}"
        return Answer(answer)

    def _knows_client(self, request: Request, sent: Mapping[str, str]) -> bool:
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        in_header = request.headers.get("Authorization") == f"Basic {basic}"
        in_body = (sent.get("client_id"), sent.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        return in_header or in_body

    def _redeems(self, sent: Mapping[str, str]) -> bool:
        asked = self.codes.pop(sent["code"], None)
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return asked is not None and (asked["code_challenge"], asked["redirect_uri"]) == (
            challenge,
            sent["redirect_uri"],
        )


def _form(request: Request) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
