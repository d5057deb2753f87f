"""Taking in what Facebook posts: signed with the app's secret, stored once, answered at once."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable

from core.companies import Companies
from core.connectors.webhook.signatures import Delivery, Scheme, verify
from core.errors import NotAllowed, NotFound, RequestError
from core.facebook.conversations import Conversations
from core.facebook.events import incoming
from core.facebook.messages import Messages
from core.facebook.page_bots import Mode, PageBots
from core.settings import Settings


class FacebookInbox:
    """Where Facebook's webhooks end."""

    def __init__(
        self,
        settings: Settings,
        companies: Companies,
        bots: PageBots,
        conversations: Conversations,
        messages: Messages,
    ) -> None:
        self._settings = settings
        self._companies = companies
        self._bots = bots
        self._conversations = conversations
        self._messages = messages

    def challenge(self, mode: str, token: str, challenge: str) -> str:
        """What Facebook wants to hear when the webhook is set up. Raises NotAllowed, NotFound."""
        expected = self._settings.facebook_verify_token
        if expected is None:
            raise _not_set_up("FACEBOOK_VERIFY_TOKEN")
        if mode != "subscribe" or not hmac.compare_digest(
            token.encode(), expected.get_secret_value().encode()
        ):
            raise NotAllowed(
                "The verify token is another one.", action="Enter FACEBOOK_VERIFY_TOKEN's value."
            )
        return challenge

    def receive(self, delivery: Delivery) -> int:
        """Store what is new; how many messages. Raises NotFound, NotSignedIn, RequestError.

        A message to a page that nobody knows, or whose bot is off, is not kept.
        """
        secret = self._settings.facebook_app_secret
        if secret is None:
            raise _not_set_up("FACEBOOK_APP_SECRET")
        verify(Scheme.GITHUB, delivery, [secret.get_secret_value()])
        try:
            body = json.loads(delivery.body)
        except (ValueError, RecursionError):
            raise RequestError("The body is not valid JSON.", action="Send it again.") from None
        count = 0
        for message in incoming(body):
            for company_id in self._listening(message.page_id):
                conversation_id = self._conversations.begin(company_id, message)
                count += self._messages.take_in(company_id, conversation_id, message)
        return count

    def _listening(self, page_id: str) -> Iterable[str]:
        for company in self._companies.all():
            if any(page["page_id"] == page_id for page in company.get("pages", ())):
                company_id = str(company["company_id"])
                if self._bots.of(company_id, page_id).mode is not Mode.OFF:
                    yield company_id
                    return


def _not_set_up(setting: str) -> NotFound:
    return NotFound("The bot's channels are not set up here.", action=f"Set {setting}.")
