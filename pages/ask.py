"""Ask: what the bot would reply to a customer, from which line of which CRM; saved questions."""

from __future__ import annotations

import streamlit as st

from core.acting import Acting
from core.bot.merge import MergedLine
from core.bot.reply import Reply
from core.errors import DeskError
from core.models import Channel
from core.retrieval.retrieve import Hit
from core.store import Document
from pages.looks import show_moment
from pages.pickers import CHANNEL_NAMES, pick_channel, pick_page
from pages.session import (
    ago,
    cell,
    may_operate,
    plain,
    plain_badge,
    reading,
    say_later,
    show_error,
    signed_in,
    visible,
)

# From here on the words of a question name a record, see core.bot.support.
NAMED = 0.5


def ask_now(
    acting: Acting, page_id: str, channel: Channel, question: str, sender_id: str | None
) -> Reply:
    """The reply, shown as it is worded; asked once, however often the page runs again."""
    key = (page_id, channel, question, sender_id)
    kept: tuple[object, Reply] | None = st.session_state.get("asked")
    if kept is not None and kept[0] == key:
        return kept[1]
    words, shown = "", st.empty()
    with st.spinner("Asking…"):
        for part in acting.stream_reply(page_id, channel, question, sender_id):
            if isinstance(part, Reply):
                reply = part
            else:
                words = f"{words}\n{part}"
                shown.text(visible(words))
    shown.empty()
    st.session_state["asked"] = (key, reply)
    return reply


def show_reply(reply: Reply) -> None:
    """The reply with its citations, then everything that was looked at."""
    st.subheader("The bot would reply")
    with st.container(border=True):
        if reply.is_known:
            st.text(visible(reply.text))
            for one in reply.citations:
                st.caption(plain(f"[{one.number}] {one.link_name} · {one.path} · {one.line}"))
        else:
            st.text(reply.text)
    worded = "Quoted" if reply.worded_by == "quotes" else f"Worded by {reply.worded_by}"
    st.caption(plain(f"{worded} · kept as {reply.reply_id}"))
    if reply.merged:
        show_merged(reply.merged)
    st.subheader("What it found")
    if not reply.context:
        st.info(
            "Nothing is stored for this page and channel yet. Switch a CRM link on for it, and "
            "look at the sync logs.",
            icon=":material/info:",
        )
        st.page_link("links.py", label="To the CRM links", icon=":material/link:")
    for hit in reply.context:
        show_hit(hit)


def show_merged(merged: list[MergedLine]) -> None:
    """What several links say of one customer."""
    names = sorted({line.link_name for line in merged})
    contradictions = len({line.field for line in merged if line.contradicts})
    st.subheader("One customer, several CRMs")
    st.caption(
        plain(f"Put together from {', '.join(names)}.")
        + (
            f" They disagree on {contradictions} fields: the fresher value comes first."
            if contradictions
            else ""
        )
    )
    st.dataframe(
        [
            {
                "Field": cell(line.field),
                "Value": cell(line.value),
                "From": cell(f"{line.link_name} · {line.path}"),
                "Changed": line.updated_at,
                "Disagrees": line.contradicts,
            }
            for line in merged
        ],
        hide_index=True,
        column_config={
            "Changed": st.column_config.DatetimeColumn(format="distance"),
            "Disagrees": st.column_config.CheckboxColumn(),
        },
        placeholder="",
        alt="The merged answer, a field a row",
    )


def show_hit(hit: Hit) -> None:
    """One chunk that was found."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(hit.link_name)}**", width="content")
            st.badge(plain_badge(hit.path), color="gray")
            st.badge(f"score {hit.score:.2f}", color="blue", help=how_found(hit))
            if hit.stale:
                st.badge("stale", color="orange", icon=":material/schedule:")
            if hit.failing:
                st.badge("failing", color="red", icon=":material/error:")
        st.code(visible(hit.text), language=None, wrap_lines=True)
        when = hit.synced_at.timestamp() if hit.synced_at else None
        show_moment(f"synced {ago(when)}", when)


def how_found(hit: Hit) -> str:
    """What a hit's score is made of."""
    said = "its words name it" if hit.evidence >= NAMED else "found by its meaning"
    return f"Similarity {hit.similarity:.2f}, words {hit.evidence:.2f}: {said}"


def show_kept(acting: Acting, reply_id: str) -> None:
    """Why the bot said this: a reply that was given, with what it was made of."""
    kept = acting.kept_reply(reply_id)
    st.button(
        "Ask something", icon=":material/arrow_back:", type="tertiary", on_click=leave_kept_reply
    )
    st.subheader("Why the bot said this")
    with st.container(border=True):
        st.caption("Somebody wrote")
        st.text(visible(kept["message"]))
        st.caption("The bot's reply")
        st.text(visible(kept["reply"]))
        for one in kept["citations"]:
            st.caption(
                plain(f"[{one['number']}] {one['link_name']} · {one['path']} · {one['line']}")
            )
    worded = "quoted" if kept["worded_by"] == "quotes" else f"worded by {kept['worded_by']}"
    channel = CHANNEL_NAMES[Channel(kept["channel"])]
    st.caption(
        plain(f"{reply_id} · {worded} · page {kept['page_id']}, {channel} · for {kept['asked_by']}")
    )
    show_moment(f"given {ago(kept['at'])}", kept["at"])
    st.subheader("What it was made of, as it was then")
    if not kept["context"]:
        st.caption("Nothing that may answer there fitted.")
    for one in kept["context"]:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(one['link_name'])}**", width="content")
                st.badge(plain_badge(one["path"]), color="gray")
                st.badge(f"score {one['score']:.2f}", color="blue")
                if one["run_id"]:
                    st.page_link(
                        "logs.py",
                        label="Its sync",
                        icon=":material/history:",
                        query_params={"run": one["run_id"]},
                    )
            st.code(visible(one["text"]), language=None, wrap_lines=True)
            show_moment(f"synced {ago(one['synced_at'])}", one["synced_at"])


def leave_kept_reply() -> None:
    """Called to get from a kept reply to asking."""
    st.query_params.pop("reply", None)


def show_saved(acting: Acting, page_id: str, channel: Channel) -> None:
    """The saved questions of the page and channel."""
    desk = acting.reading
    questions = desk.questions.of_page(acting.user.company_id, page_id, channel)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Saved questions", width="content")
        run = questions and st.button("Ask them all", icon=":material/playlist_play:")
    if not questions:
        st.caption(
            "None yet. Ask something and save it: asked together, saved questions show what a "
            "change of links or records does to the bot's answers."
        )
        return
    if run:
        try:
            with st.spinner(f"Asking {len(questions)} questions…"):
                questions = acting.run_questions(page_id, channel)
            changed = sum(bool(question["changes"]) for question in questions)
            st.toast(f"{changed} of {len(questions)} are answered differently than last time")
        except DeskError as error:
            show_error(error)
    for question in questions:
        show_question(acting, question)


def show_question(acting: Acting, question: Document) -> None:
    """One saved question: its last reply, and what is different from the time before."""
    last, changes = question["last"], question["changes"]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(question['question'])}**", width="content")
            if changes:
                st.badge("Changed", color="orange", icon=":material/difference:")
            elif last:
                st.badge("As before", color="green", icon=":material/check:")
            if question.get("passed") is not None:
                passes = question["passed"]
                st.badge(
                    "Passes" if passes else "Fails",
                    color="green" if passes else "red",
                    icon=":material/rule:",
                )
            st.button(
                "Forget",
                key=f"forget-{question['_id']}",
                type="tertiary",
                icon=":material/delete:",
                on_click=forget,
                args=(question["_id"],),
                disabled=not may_operate(acting),
            )
        expected = question.get("expected") or {}
        if expected.get("text"):
            st.caption(plain(f"The reply has to say: {expected['text']}"))
        if not last:
            st.caption("Not asked yet.")
            return
        st.text(visible(last["reply"]))
        found = ", ".join(f"{hit['link_name']} {hit['path']}" for hit in last["hits"][:3])
        if found:
            st.caption(plain(f"Found: {found}"))
        show_moment(f"asked {ago(last['at'])}", last["at"])
        if changes:
            st.code(visible("\n".join(changes)), language=None, wrap_lines=True)


def forget(question_id: str) -> None:
    """Called as a saved question is to go."""
    try:
        signed_in().delete_question(question_id)
        say_later("The question is forgotten")
    except DeskError as error:
        say_later(str(error), is_error=True)


def keep(page_id: str, channel: Channel, question: str) -> None:
    """Called as the question is to be saved."""
    expected = st.session_state.get("expected", "")
    try:
        signed_in().save_question(page_id, channel, question, expected_text=expected)
        say_later("Question saved")
    except DeskError as error:
        say_later(str(error), is_error=True)


def main() -> None:
    """The page."""
    acting, _ = reading()
    st.title("Ask")
    if reply_id := st.query_params.get("reply"):
        show_kept(acting, reply_id)
        return
    left, right = st.columns(2)
    with left:
        page_id = pick_page(acting)
    with right:
        channel = pick_channel() or Channel.FACEBOOK
    with st.form("ask", border=False):
        question_column, button_column = st.columns([6, 1], vertical_alignment="bottom")
        if "question" not in st.session_state and "q" in st.query_params:
            st.session_state["question"] = st.query_params["q"]
        question = question_column.text_input(
            "Question", placeholder="What did Maria order?", key="question", max_chars=1000
        )
        asked = button_column.form_submit_button("Ask", type="primary", width="stretch")
    if asked and not question.strip():
        st.warning("Type a question first.", icon=":material/edit:")
    stranger = st.toggle(
        "Answer as to a stranger",
        key="stranger",
        help="As the bot answers somebody of whom nobody knows which customer they are: by the "
        "page's setting, with nothing personal.",
    )
    if asked:
        st.session_state.pop("asked", None)
        st.query_params["q"] = question
    asked_for = st.query_params.get("q", "")
    if asked_for.strip():
        try:
            reply = ask_now(acting, page_id, channel, asked_for, "" if stranger else None)
        except DeskError as error:
            show_error(error)
        else:
            show_reply(reply)
            with st.container(horizontal=True, vertical_alignment="bottom"):
                st.text_input(
                    "The reply has to say (optional)",
                    key="expected",
                    max_chars=1000,
                    placeholder="plan: Gold",
                    help="Then the question is asked after each sync that changes the page, and "
                    "an alert goes out when the reply says it no more.",
                    disabled=not may_operate(acting),
                )
                st.button(
                    "Save this question",
                    icon=":material/bookmark_add:",
                    on_click=keep,
                    args=(page_id, channel, asked_for),
                    disabled=not may_operate(acting),
                )
    else:
        st.caption("Ask as a customer would: the reply is made of what the CRMs sent, no more.")
    show_saved(acting, page_id, channel)


main()
