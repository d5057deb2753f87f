"""What Streamlit runs for every page: checks the user, then hands over to the chosen screen."""

from __future__ import annotations

import streamlit as st

from pages.session import plain, signed_in

st.set_page_config(page_title="CRM desk", page_icon=":material/hub:", layout="wide")
desk, user = signed_in()

page = st.navigation(
    {
        "CRM": [
            st.Page("links.py", title="Links", icon=":material/link:", default=True),
            st.Page("logs.py", title="Sync logs", icon=":material/history:"),
            st.Page("crm_text.py", title="CRM text", icon=":material/notes:"),
            st.Page("search.py", title="Search", icon=":material/search:"),
        ],
        "Set-up": [st.Page("companies.py", title="Pages", icon=":material/pages:")],
    }
)
with st.sidebar:
    st.caption(plain(f"Signed in as {user.username} ({user.role.value})"))
    if st.button("Sign out", icon=":material/logout:"):
        st.logout()
page.run()
