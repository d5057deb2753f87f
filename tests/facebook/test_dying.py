"""A scheduler that dies around sending: the next one neither loses nor repeats the answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine

from core.desk import Desk
from core.facebook.answering import Answering
from core.facebook.events import Incoming
from core.facebook.graph import Graph
from core.facebook.messages import WORK_SECONDS
from core.facebook.page_bots import Mode, Reveals
from core.models import Channel
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from tests.servers.crm import Crm
from tests.servers.graph import Facebook
from tests.sync.inside import PAGE, Inside

SECRET = "the app's own secret"


class Died(BaseException):
    """The process ends here: nothing after this is carried out."""


@pytest.fixture
def facebook(inside: Inside, crm: Crm, path: str) -> Facebook:
    """A page whose bot sends, with one message that waits."""
    people = [{"id": 1, "name": "Maria Garcia", "email": "maria@example.com", "plan": "Gold"}]
    inside.add_link(crm.serve(path, {"customers": people}))
    inside.desk.scheduler().run_once()
    page = Facebook(crm, "", SECRET, PAGE)
    inside.desk.page_bots.set(
        DEFAULT_COMPANY,
        PAGE,
        mode=Mode.SEND,
        reveals=Reveals.ANY,
        token=page.token,
        handover_words=[],
        handover_reply="",
    )
    text = "Which plan does Maria Garcia have?"
    message = Incoming(PAGE, Channel.MESSENGER, "m-1", "psid-1", "", text)
    conversation = inside.desk.conversations.begin(DEFAULT_COMPANY, message)
    assert inside.desk.messages.take_in(DEFAULT_COMPANY, conversation, message)
    return page


def answering(desk: Desk, crm: Crm, dies: str = "") -> Answering:
    """The bot at work; it dies before or after Facebook took the answer."""
    settings = Settings(graph_api_url=f"http://{crm.host}/graph", facebook_app_secret=SECRET)

    class Dying(Graph):
        def send(self, token: str, message: Any, text: str) -> str:
            if dies == "before":
                raise Died
            sent_id = super().send(token, message, text)
            if dies == "after":
                raise Died
            return sent_id

    return Answering(
        desk.page_bots,
        desk.conversations,
        desk.messages,
        Dying(settings),
        desk.replier,
        desk.provenance,
    )


@pytest.mark.parametrize("dies", ["before", "after"])
def test_the_answer_is_sent_exactly_once(
    inside: Inside, crm: Crm, facebook: Facebook, dies: str
) -> None:
    with pytest.raises(Died):
        answering(inside.desk, crm, dies).work_off()
    other = inside.other().desk
    assert answering(other, crm).work_off() == 0  # the other may still be at it
    with time_machine.travel(time.time() + WORK_SECONDS + 1, tick=True):
        assert answering(other, crm).work_off() == 1
        assert answering(other, crm).work_off() == 0
    assert len(facebook.sent) == 1
    assert "plan: Gold" in facebook.sent[0]["message"]
    message = other.messages.find(DEFAULT_COMPANY)[0]
    assert (message["state"], message["sent_id"]) == ("sent", facebook.sent[0]["id"])
