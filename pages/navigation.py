"""What Streamlit runs for every page: checks the user, then hands over to the chosen screen."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.session import plain, plainly, say_what_waits, signed_in

# A file of our own: icons by name come from another host.
ICON = Path(__file__).parent / "icon.png"

st.set_page_config(page_title="CRM desk", page_icon=ICON, layout="wide")
acting = signed_in()

page = st.navigation(
    {
        "Watch": [
            st.Page("overview.py", title="Overview", icon=":material/dashboard:", default=True),
            st.Page("logs.py", title="Sync logs", icon=":material/history:"),
        ],
        "CRM": [
            st.Page("links.py", title="Links", icon=":material/link:"),
            st.Page("crm_text.py", title="CRM text", icon=":material/notes:"),
        ],
        "Bot": [
            st.Page("ask.py", title="Ask", icon=":material/forum:"),
            st.Page("conversations.py", title="Conversations", icon=":material/chat:"),
        ],
        "Set-up": [
            st.Page("settings.py", title="Settings", icon=":material/settings:"),
            # Opened from Links.
            st.Page("link_form.py", title="CRM link", visibility="hidden"),
        ],
    }
)
role = acting.user.role
with st.sidebar:
    st.caption(plain(f"Signed in as {acting.user.username} ({role.value if role else 'token'})"))
    if st.button("Sign out", icon=":material/logout:"):
        st.logout()
say_what_waits()
with plainly():
    page.run()
