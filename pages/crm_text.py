"""CRM text: exactly what a CRM sent, line by line."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.pickers import pick_link, pick_page
from pages.session import ago, signed_in

PER_PAGE = 200

desk, user = signed_in()

st.title("CRM text")
left, right = st.columns(2)
with left:
    page_id = pick_page(desk, user)
with right:
    link = pick_link(desk.links.of_page(user.company_id, page_id))

link_id = link.link.link_id
state = desk.leases.states([link_id]).get(link_id, {})


@st.cache_data(max_entries=20, show_spinner="Reading the text…")
def read(link_id: str, generation: int) -> pd.DataFrame:  # noqa: ARG001  (part of the cache key)
    """The lines of a link's generation, each with the record it belongs to."""
    entries = desk.served.entries(link_id)
    total = sum(count for entry in entries for _, count in entry.record.at)
    rows = [""] * total
    for entry in entries:
        for first, count in entry.record.at:
            rows[first : first + count] = [entry.record.path] * count
    return pd.DataFrame(
        {"Line": range(1, total + 1), "Record": rows, "Text": desk.served.lines(link_id)}
    )


if not state.get("live_generation"):
    st.info(
        "Nothing has been synced from this link yet. The sync logs say why.", icon=":material/info:"
    )
    st.page_link("logs.py", label="To the sync logs", icon=":material/history:")
    st.stop()

lines = read(link_id, state["live_generation"])
where = f", found at {state['records_at']}" if state.get("records_at") else ""
st.text(
    f"{len(lines):,} lines of {state['records']:,} records{where}; "
    f"last synced {ago(state['last_success_at'])}."
)
left, middle, right = st.columns([3, 2, 1], vertical_alignment="bottom")
needle = left.text_input("Filter lines", key="filter", bind="query-params")
records = middle.selectbox(
    "Record",
    lines["Record"].drop_duplicates().tolist(),
    index=None,
    placeholder="All records",
)
found = lines
if needle:
    found = found[found["Text"].str.contains(needle, case=False, regex=False)]
if records:
    found = found[found["Record"] == records]
right.download_button(
    "Download",
    "\n".join(lines["Text"]),
    file_name=f"{link_id}.txt",
    mime="text/plain",
    icon=":material/download:",
    width="stretch",
)
if found.empty:
    st.info("No line matches the filter.", icon=":material/filter_alt_off:")
    st.stop()
number = 1
if len(found) > PER_PAGE:
    st.caption(f"{len(found):,} lines match")
    number = st.pagination(-(-len(found) // PER_PAGE), key="text-page")
shown = found.iloc[(number - 1) * PER_PAGE : number * PER_PAGE]
st.dataframe(
    shown,
    hide_index=True,
    height="content" if len(shown) < 15 else 600,
    column_config={
        "Line": st.column_config.NumberColumn(width=70, format="%d"),
        "Record": st.column_config.TextColumn(width=170),
        "Text": st.column_config.TextColumn(width="large"),
    },
)
