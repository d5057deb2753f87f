"""Conversations: what came in on a page's channels, the answers, and what needs a person."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.acting import Acting
from core.errors import DeskError
from core.facebook.graph import MAX_MESSAGE
from core.facebook.messages import FOR_PEOPLE, State
from core.facebook.page_bots import Mode
from core.models import Channel
from core.retrieval.retrieve import Hit
from core.store import Document
from core.text.matching import identities
from pages.looks import show_moment
from pages.pickers import ALL, CHANNEL_NAMES, pick, pick_page
from pages.session import (
    ago,
    answered,
    ask,
    live,
    may_operate,
    plain,
    plain_badge,
    reading,
    say_later,
    show_error,
    signed_in,
    visible,
)

SHOWN = 20
PEOPLE = "people"
LOOKS = {
    State.WAITING: ("Waits for the bot", "gray", ":material/hourglass_empty:"),
    State.SENDING: ("Being sent", "blue", ":material/send:"),
    State.SENT: ("Answered", "green", ":material/check_circle:"),
    State.SUGGESTED: ("Suggestion: send it?", "orange", ":material/rate_review:"),
    State.UNANSWERED: ("Needs a person", "orange", ":material/person:"),
    State.HANDED_OVER: ("Handed over", "orange", ":material/front_hand:"),
    State.DISMISSED: ("Left unanswered", "gray", ":material/do_not_disturb_on:"),
    State.FAILED: ("Not sent", "red", ":material/error:"),
}
FILTERS = {PEOPLE: "What needs a person", ALL: "All"}
FILTERS |= {state.value: look[0] for state, look in LOOKS.items()}


@live(5.0)
def show_messages(page_id: str, wanted: str) -> None:
    """The page's messages, newest first."""
    if any(name in st.session_state for name in ("asks-anew", "said")):
        # Dialogs and messages belong to the whole page, not to this part of it.
        st.rerun()
    acting, desk = reading()
    company_id = acting.user.company_id
    state = State(wanted) if wanted in set(State) else None
    found = desk.messages.find(company_id, page_id=page_id, state=state, limit=200)
    if wanted == PEOPLE:
        found = [one for one in found if one["state"] in FOR_PEOPLE]
    if not found:
        nothing_to_show(acting, page_id, wanted)
        return
    people = {one["_id"]: one for one in desk.conversations.of_page(company_id, page_id)}
    for message in found[:SHOWN]:
        show_message(acting, message, people.get(message["conversation_id"]))
    if len(found) > SHOWN:
        st.caption(f"The newest {SHOWN} are shown: choose a state above to see others.")


def nothing_to_show(acting: Acting, page_id: str, wanted: str) -> None:
    """Why there is nothing, and what to do."""
    bot = acting.reading.page_bots.of(acting.user.company_id, page_id)
    if bot.mode is Mode.OFF:
        st.info(
            "The bot of this page is off: nothing comes in. An administrator sets it up.",
            icon=":material/info:",
        )
        st.page_link(
            "settings.py",
            label="To the bot's settings",
            icon=":material/settings:",
            query_params={"section": "bot", "page": page_id},
        )
    elif wanted == PEOPLE:
        st.success("Nothing needs a person here.", icon=":material/check_circle:")
    else:
        st.info("Nothing of this kind has come in.", icon=":material/info:")


def show_message(acting: Acting, message: Document, conversation: Document | None) -> None:
    """One message: who wrote it, what became of it, and what to do."""
    label, color, icon = LOOKS[State(message["state"])]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(label, color=color, icon=icon)
            st.badge(CHANNEL_NAMES[Channel(message["channel"])], color="gray")
            st.markdown(f"**{plain(name_of(message, conversation))}**", width="content")
            show_moment(ago(message["at"]), message["at"])
        st.text(visible(message["text"]) or "(no text)")
        if message["reason"]:
            st.caption(plain(message["reason"]))
        if message["state"] in FOR_PEOPLE:
            answer_it(acting, message)
        elif message["reply"]:
            st.code(visible(message["reply"]), language=None, wrap_lines=True)
        with st.container(horizontal=True, vertical_alignment="center"):
            if message["reply_id"]:
                st.page_link(
                    "ask.py",
                    label="Why this answer?",
                    icon=":material/help:",
                    query_params={"reply": message["reply_id"]},
                )
            if conversation is not None:
                about_the_customer(acting, message, conversation)


def name_of(message: Document, conversation: Document | None) -> str:
    """Whoever wrote: the customer that they are, their name, or the id that Facebook gives."""
    customer = (conversation or {}).get("customer")
    name = (conversation or {}).get("name") or f"ID {message['sender_id']}"
    return f"{name} = {customer['label']}" if customer else str(name)


def answer_it(acting: Acting, message: Document) -> None:
    """The field for an answer, with the bot's suggestion in it."""
    key = f"answer-{message['_id']}"
    st.text_area(
        "Answer",
        value=message["reply"],
        key=key,
        max_chars=MAX_MESSAGE,
        height=90,
        disabled=not may_operate(acting),
    )
    with st.container(horizontal=True):
        st.button(
            "Send",
            key=f"send-{message['_id']}",
            type="primary",
            icon=":material/send:",
            on_click=send,
            args=(message["_id"], key),
            disabled=not may_operate(acting),
        )
        st.button(
            "Leave unanswered",
            key=f"dismiss-{message['_id']}",
            icon=":material/do_not_disturb_on:",
            on_click=dismiss,
            args=(message["_id"],),
            disabled=not may_operate(acting),
        )


def about_the_customer(acting: Acting, message: Document, conversation: Document) -> None:
    """Who it is, and whether the bot answers them."""
    if conversation["customer"]:
        st.button(
            "This is not them",
            key=f"untie-{message['_id']}",
            type="tertiary",
            icon=":material/link_off:",
            on_click=untie,
            args=(conversation["_id"],),
            disabled=not may_operate(acting),
        )
    else:
        st.button(
            "Who is this?",
            key=f"tie-{message['_id']}",
            type="tertiary",
            icon=":material/person_search:",
            on_click=ask_who,
            args=(conversation["_id"], message["page_id"]),
            disabled=not may_operate(acting),
        )
    taken = conversation["handed_over"]
    st.button(
        "Give back to the bot" if taken else "Take over",
        key=f"hand-{message['_id']}",
        type="tertiary",
        icon=":material/smart_toy:" if taken else ":material/front_hand:",
        on_click=hand_over,
        args=(conversation["_id"], not taken),
        disabled=not may_operate(acting),
    )


def ask_who(conversation_id: str, page_id: str) -> None:
    """Called as somebody is to be found out."""
    ask("who is this", conversation_id, page_id)
    st.session_state["asks-anew"] = True


@st.dialog("Which customer is this?", on_dismiss=answered)
def who_is_this(conversation_id: str, page_id: str) -> None:
    """Tie a conversation to a record of a customer."""
    acting = signed_in()
    st.caption(
        "The bot then answers them from the records of this customer. Be sure: by an order number "
        "that only they know, for instance."
    )
    wanted = st.text_input("Find them", placeholder="Name, e-mail address or order number")
    if not wanted.strip():
        return
    try:
        hits, _ = acting.search(page_id, Channel.MESSENGER, wanted, 8)
    except DeskError as error:
        show_error(error)
        return
    known = [hit for hit in hits if hit.entry and identities(hit.entry.record)]
    if not known:
        st.info("No record with an e-mail address or a phone number fits.", icon=":material/info:")
    for number, hit in enumerate(known[:4]):
        with st.container(border=True):
            st.badge(plain_badge(f"{hit.link_name} · {hit.path}"), color="gray")
            st.code(visible("\n".join(hit.text.split("\n")[:6])), language=None, wrap_lines=True)
            if st.button("This is them", key=f"them-{number}", icon=":material/link:"):
                tie(acting, conversation_id, hit)


def tie(acting: Acting, conversation_id: str, hit: Hit) -> None:
    """Note who it is, and close the dialog."""
    try:
        acting.tie_conversation(conversation_id, link_id=hit.link_id, path=hit.path)
    except DeskError as error:
        show_error(error)
        return
    answered()
    say_later(f"They are {hit.link_name}, {hit.path}")
    st.rerun()


def send(message_id: str, key: str) -> None:
    """Called as an answer is to be sent."""
    _done(lambda acting: acting.send_answer(message_id, st.session_state[key]), "On its way")


def dismiss(message_id: str) -> None:
    """Called as a message is to stay unanswered."""
    _done(lambda acting: acting.dismiss_message(message_id), "It stays unanswered")


def untie(conversation_id: str) -> None:
    """Called as somebody is not the customer that was thought."""
    _done(lambda acting: acting.tie_conversation(conversation_id), "They are a stranger again")


def hand_over(conversation_id: str, taken: bool) -> None:
    """Called as a person takes a conversation over, or gives it back."""
    said = "You answer here from now on" if taken else "The bot answers here again"
    _done(lambda acting: acting.hand_over(conversation_id, taken), said)


def _done(action: Callable[[Acting], object], said: str) -> None:
    try:
        action(signed_in())
    except DeskError as error:
        say_later(str(error), is_error=True)
    else:
        say_later(said)


def main() -> None:
    """The page."""
    acting, _ = reading()
    st.title("Conversations")
    left, right = st.columns(2)
    with left:
        page_id = pick_page(acting)
    with right:
        wanted = pick("Show", FILTERS, key="show")
    st.session_state.pop("asks-anew", None)
    question, about = st.session_state.get("asking", ("", ()))
    if question == "who is this":
        who_is_this(*about)
    show_messages(page_id, wanted)


main()
