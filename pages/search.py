"""Search: what the bot would find for a question, and from which line of which CRM."""

from __future__ import annotations

import streamlit as st

from core.errors import DeskError
from pages.pickers import pick_channel, pick_page
from pages.session import ago, plain, plain_badge, show_error, signed_in

desk, user = signed_in()

st.title("Search")
left, right = st.columns(2)
with left:
    page_id = pick_page(desk, user)
with right:
    channel = pick_channel()

with st.form("search", border=False):
    question_column, count_column, button_column = st.columns(
        [5, 1, 1], vertical_alignment="bottom"
    )
    question = question_column.text_input(
        "Question", placeholder="What did Maria order?", key="question"
    )
    count = count_column.number_input("Hits", min_value=1, max_value=20, value=5)
    asked = button_column.form_submit_button("Search", type="primary", width="stretch")

if asked and not question.strip():
    st.warning("Type a question first.", icon=":material/edit:")
elif asked and channel:
    try:
        with st.spinner("Searching…"):
            hits = desk.retriever.search(user.company_id, page_id, channel, question, int(count))
    except DeskError as error:
        show_error(error)
    else:
        if not hits:
            st.info(
                "Nothing is stored for this page and channel yet. Switch a CRM link on for it, and "
                "look at the sync logs.",
                icon=":material/info:",
            )
        for hit in hits:
            with st.container(border=True):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"**{plain(hit.link_name)}**", width="content")
                    st.badge(plain_badge(hit.path), color="gray")
                    st.badge(f"score {hit.score:.2f}", color="blue")
                    if hit.stale:
                        st.badge("stale", color="orange", icon=":material/schedule:")
                st.code(hit.text, language=None, wrap_lines=True)
                when = hit.synced_at.timestamp() if hit.synced_at else None
                st.caption(f"synced {ago(when)}")
else:
    st.caption("Ask as a customer would: the hits are what the bot answers from.")
