"""The Graph API's calls that the bot needs: send a message, answer a comment, look what was sent.

See `developers.facebook.com/docs/messenger-platform/reference/send-api` and
`developers.facebook.com/docs/graph-api/reference/object/comments`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import requests

from core.errors import ChannelFailed
from core.models import Channel
from core.settings import Settings

TIMEOUT = (5.0, 20.0)
MAX_MESSAGE = 2000
"""Of the Send API, in characters."""
_LOOK_BACK = 25
# Codes of errors that pass by themselves: temporary ones and rate limits, see
# developers.facebook.com/docs/graph-api/guides/error-handling
_PASSING = {1, 2, 4, 17, 32, 341, 368, 613, 80006}
_TOKEN_REFUSED = 190


class Graph:
    """The Graph API at ``GRAPH_API_URL``."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.graph_api_url.rstrip("/")
        self._app_secret = settings.facebook_app_secret

    def send(self, token: str, message: Mapping[str, Any], text: str) -> str:
        """Send ``text`` as the answer to a stored message; Facebook's id. Raises ChannelFailed."""
        text = text[:MAX_MESSAGE]
        if message["channel"] == Channel.FACEBOOK.value:
            path = f"{message['message_id']}/comments"
            body: dict[str, Any] = {"message": text}
        else:
            path = f"{message['page_id']}/messages"
            body = {
                "recipient": {"id": message["sender_id"]},
                "messaging_type": "RESPONSE",
                "message": {"text": text, "metadata": message["_id"]},
            }
        answer = self._call("POST", path, token, body=body)
        return str(answer.get("message_id") or answer.get("id") or "")

    def sent_before(self, token: str, message: Mapping[str, Any], text: str) -> str | None:
        """The id of the answer, if it was sent already: a process may have died just then.

        The Send API has no key by which it would know a message again, so that one looks.
        """
        text = text[:MAX_MESSAGE]
        if message["channel"] == Channel.FACEBOOK.value:
            parameters = {"fields": "id,message,from", "order": "reverse_chronological"}
            found = self._call("GET", f"{message['message_id']}/comments", token, parameters)
            answers = _list(found.get("data"))
        else:
            parameters = {
                "platform": "messenger",
                "user_id": message["sender_id"],
                "fields": f"messages.limit({_LOOK_BACK}){{id,message,from}}",
            }
            found = self._call("GET", f"{message['page_id']}/conversations", token, parameters)
            answers = [
                one
                for conversation in _list(found.get("data"))
                for one in _list((conversation.get("messages") or {}).get("data"))
            ]
        # Newest first: what the customer wrote ends the search, answers to it are newer.
        for one in answers:
            if one.get("id") == message["message_id"]:
                break
            own = str((one.get("from") or {}).get("id")) == message["page_id"]
            if own and one.get("message") == text:
                return str(one.get("id"))
        return None

    def _call(
        self,
        method: str,
        path: str,
        token: str,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        proof = {}
        if self._app_secret is not None:
            key = self._app_secret.get_secret_value().encode()
            proof = {"appsecret_proof": hmac.new(key, token.encode(), hashlib.sha256).hexdigest()}
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    method,
                    f"{self._url}/{path}",
                    params={**(parameters or {}), **proof},
                    json=body,
                    # Not as a parameter: addresses end up in logs.
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
                found = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise ChannelFailed(
                f"Facebook does not answer ({type(error).__name__}).",
                permanent=False,
                action="It is tried again by itself.",
            ) from None
        if answer.status_code == 200 and isinstance(found, dict) and "error" not in found:
            return found
        raise _refused(answer.status_code, found, token)


def _refused(status: int, found: Any, token: str) -> ChannelFailed:
    error = found.get("error") if isinstance(found, dict) else None
    error = error if isinstance(error, dict) else {}
    code = error.get("code")
    # People see its words, which may hold what it was sent.
    words = str(error.get("message") or f"status {status}").replace(token, "***")[:300]
    if code == _TOKEN_REFUSED:
        return ChannelFailed(
            f"Facebook does not accept the page's token: {words}",
            permanent=True,
            action="An administrator enters a new one in the page's bot settings.",
        )
    passes = status == 429 or status >= 500 or code in _PASSING or bool(error.get("is_transient"))
    return ChannelFailed(
        f"Facebook refuses the answer: {words}",
        permanent=not passes,
        action="It is tried again by itself." if passes else "Somebody has to answer by hand.",
    )


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
