"""Settings of a page's bot: what it does, whom it tells what, when a person takes over."""

from __future__ import annotations

import streamlit as st

from core.acting import Acting
from core.errors import DeskError
from core.facebook.graph import MAX_MESSAGE
from core.facebook.page_bots import Mode, Reveals, split_words
from core.security.secrets import MASK
from pages.pickers import pick_page
from pages.session import say_later, show_error

MODES = {
    Mode.OFF: "Off: it takes nothing in",
    Mode.SUGGEST: "Only suggest: a person sends each answer",
    Mode.SEND: "Send answers by itself",
}
REVEALS = {
    Reveals.OWN: "Their own, in Messenger, once it is known who they are; else nothing personal",
    Reveals.ANY: "Anybody's: these records are nobody's secret",
}


def show_page_bot(acting: Acting) -> None:
    """How the bot of a page behaves on its channels."""
    desk = acting.reading
    page_id = pick_page(acting)
    bot = desk.page_bots.of(acting.user.company_id, page_id)
    if desk.settings.facebook_app_secret is None:
        st.info(
            "Nothing comes in from Facebook yet: FACEBOOK_APP_SECRET and FACEBOOK_VERIFY_TOKEN "
            "are not set. docs/bot.md says how to set the webhook up.",
            icon=":material/info:",
        )
    with st.form(f"bot-{page_id}"):
        mode = st.radio(
            "What the bot does with a message",
            list(MODES),
            format_func=lambda one: MODES[one],
            index=list(MODES).index(bot.mode),
        )
        reveals = st.radio(
            "Whose records may answer",
            list(REVEALS),
            format_func=lambda one: REVEALS[one],
            index=list(REVEALS).index(bot.reveals),
            help="Comments can be read by all: nothing personal is told there but in the second "
            "case.",
        )
        token = st.text_input(
            "Page access token",
            type="password",
            placeholder="Kept as it is stored" if bot.token else "",
            help="With pages_messaging and pages_manage_engagement. Stored encrypted, never shown.",
            autocomplete="off",
        )
        words = st.text_area(
            "A person takes over when somebody writes one of these",
            value=", ".join(bot.handover_words),
            height=70,
        )
        reply = st.text_input(
            "What is sent then (optional)", value=bot.handover_reply, max_chars=MAX_MESSAGE
        )
        if st.form_submit_button("Save", type="primary"):
            try:
                acting.set_page_bot(
                    page_id,
                    mode=mode,
                    reveals=reveals,
                    token=token.strip() or (MASK if bot.token else None),
                    handover_words=split_words(words),
                    handover_reply=reply,
                )
            except DeskError as error:
                show_error(error)
            else:
                say_later("The bot's settings are saved")
                st.rerun()
