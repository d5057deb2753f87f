"""CRM text: exactly what a CRM sent, line by line, record by record, and what changed since."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.desk import Desk
from core.reading import KeptText
from core.store import Document
from core.text.redact import in_words
from core.text.spreadsheet import to_csv
from pages.looks import show_moment
from pages.pickers import keep_in_url, pick, pick_link, pick_page, write_filter
from pages.session import ago, cell, later, local, plain, reading, visible

PER_PAGE = 200
MAX_CHOICES = 200
VIEWS = {"lines": "Lines", "record": "Record and JSON", "compare": "Compare syncs"}


def generation_name(kept: Document, live: int) -> str:
    """How a kept sync is called."""
    if kept["at"] is None:
        return "Served now"
    when = f"{local(kept['at']):%d %b, %H:%M:%S}"
    return f"Served now ({when})" if kept["generation"] == live else when


def show_lines(desk: Desk, link_id: str, generation: int, text: KeptText) -> None:
    """The text, searchable and paged."""
    left, middle, right = st.columns([3, 1.3, 1.5], vertical_alignment="bottom")
    with left:
        needle = write_filter("Filter lines", key="filter", placeholder="Any part of a line")
    redacted = middle.toggle("Only redacted", key="redacted", bind="query-params")
    chunked = right.toggle("Chunks and tokens", key="chunked", bind="query-params")
    found = text.find(needle, redacted=redacted)
    downloads(link_id, generation)
    if not found:
        st.info("No line matches the filter.", icon=":material/filter_alt_off:")
        return
    number = 1
    if len(found) > PER_PAGE:
        st.caption(
            f"{len(found):,} lines match" if len(found) < len(text) else f"{len(text):,} lines"
        )
        number = st.pagination(-(-len(found) // PER_PAGE), key="text-page")
    shown = [text.line(i) for i in found[(number - 1) * PER_PAGE : number * PER_PAGE]]
    chunk_of = _chunks(desk, text, [line.record for line in shown]) if chunked else {}
    table = pd.DataFrame(
        [
            {
                "Line": line.number,
                "Record": cell(text.record(line.record).path),
                "Text": cell(line.text),
                "Redacted": line.is_redacted,
                **({"Chunk": chunk_of.get((line.record, line.text), "")} if chunked else {}),
            }
            for line in shown
        ]
    )
    st.dataframe(
        table,
        hide_index=True,
        height="content" if len(shown) < 15 else 600,
        column_order=[c for c in ("Line", "Record", "Text", "Chunk", "Redacted") if c in table],
        column_config={
            "Line": st.column_config.NumberColumn(width=70, format="%d"),
            "Record": st.column_config.TextColumn(width=170),
            "Text": st.column_config.TextColumn(
                width="large",
                help="What a spreadsheet could take for a formula has an apostrophe before it.",
            ),
            "Redacted": st.column_config.CheckboxColumn(width=80),
        },
        alt="The flattened text, a line a row",
    )


def _chunks(desk: Desk, text: KeptText, records: list[int]) -> dict[tuple[int, str], str]:
    """For each line of the records: which of the record's chunks it is in, and its tokens."""
    where: dict[tuple[int, str], str] = {}
    for number in dict.fromkeys(records):
        for chunk in desk.reader.chunks(text.entries[number]):
            label = f"{chunk.number} of {chunk.of} ({chunk.tokens} tokens)"
            for line in chunk.text.split("\n"):
                before = where.get((number, line))
                where[number, line] = f"{before}, {chunk.number}" if before else label
    return where


def downloads(link_id: str, generation: int) -> None:
    """The whole text as files."""

    again = later()

    def as_text() -> str:
        _, desk = again()
        return "\n".join(desk.reader.text(link_id, generation).lines)

    def as_csv() -> str:
        _, desk = again()
        text = desk.reader.text(link_id, generation)
        lines = map(text.line, range(len(text)))
        rows = ((line.number, text.record(line.record).path, line.text) for line in lines)
        return to_csv(("line", "record", "text"), rows)

    with st.container(horizontal=True):
        st.download_button(
            "Download",
            as_text,
            file_name=f"{link_id}.txt",
            mime="text/plain",
            icon=":material/download:",
            on_click="ignore",
            help="The text as it is.",
        )
        st.download_button(
            "Download CSV",
            as_csv,
            file_name=f"{link_id}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            help="Safe to open in a spreadsheet: nothing in it is taken for a formula.",
        )


def show_record(desk: Desk, link_id: str, generation: int, text: KeptText) -> None:
    """One record: its lines, its JSON beside them, its chunks."""
    needle = write_filter("Find a record", key="find_record", placeholder="cust-123")
    found = dict(text.find_records(needle, MAX_CHOICES))
    if not found:
        st.info("No record matches.", icon=":material/filter_alt_off:")
        return
    asked = st.query_params.get("record", "")
    options = {str(number): visible(name) for number, name in found.items()}
    if asked.isdigit() and int(asked) < len(text.entries) and asked not in options and not needle:
        options[asked] = visible(text.record(int(asked)).path)
    number = int(pick("Record", options, key="record"))
    record = text.record(number)
    left, right = st.columns(2)
    with left:
        st.write("Flattened text")
        st.code(visible(record.positioned("\n".join(record.lines))), language=None, wrap_lines=True)
    with right:
        st.write("JSON, as it was sent but for what was redacted")
        raw = desk.reader.raw(link_id, generation, number)
        if raw:
            st.code(visible(raw), language="json", wrap_lines=True)
        else:
            st.caption("It came as plain text, or was synced before its JSON was kept.")
    st.write("Chunks, as they are embedded and found")
    for chunk in desk.reader.chunks(text.entries[number]):
        st.caption(f"Chunk {chunk.number} of {chunk.of}: {chunk.tokens} of at most 254 tokens")
        st.code(visible(chunk.text), language=None, wrap_lines=True)


def show_comparison(desk: Desk, link_id: str, kept: list[Document], live: int) -> None:
    """What changed between two kept syncs, path by path."""
    if len(kept) < 2:
        st.info(
            "Only one sync is kept so far. As soon as a sync brings something new, the two can be "
            "compared here.",
            icon=":material/info:",
        )
        return
    names = {str(one["generation"]): generation_name(one, live) for one in kept}
    left, right = st.columns(2)
    with right:
        newer = int(pick("Newer", names, key="newer"))
    with left:
        before = {name: words for name, words in names.items() if int(name) < newer}
        if not before:
            st.info("Nothing older is kept.", icon=":material/info:")
            return
        older = int(pick("Older", before, key="older"))
    changes = desk.reader.compare(link_id, older, newer)
    needle = write_filter("Filter changes", key="changed", placeholder="Any part of a path")
    found = [line for line in changes.lines if needle.casefold() in line.casefold()]
    st.caption(f"{changes.total:,} changes" + (f", {len(found):,} match" if needle else ""))
    if not found:
        st.info("Nothing changed that matches.", icon=":material/filter_alt_off:")
        return
    number = 1
    if len(found) > PER_PAGE:
        number = st.pagination(-(-len(found) // PER_PAGE), key="changes-page")
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    st.code(visible("\n".join(shown)), language=None, wrap_lines=True)
    if changes.total > len(changes.lines):
        st.caption(f"The first {len(changes.lines):,} are shown.")
    rows = [[line] for line in found]
    st.download_button(
        "Download these changes",
        to_csv(("change",), rows),
        file_name=f"{link_id}-changes.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def main() -> None:
    """The page."""
    acting, desk = reading()
    st.title("CRM text")
    left, middle, right = st.columns(3)
    with left:
        page_id = pick_page(acting)
    with middle:
        link = pick_link(desk.links.of_page(acting.user.company_id, page_id))
    link_id = link.link.link_id
    kept = desk.reader.kept(link_id)
    if not kept:
        st.info(
            "Nothing has been synced from this link yet. The sync logs say why.",
            icon=":material/info:",
        )
        st.page_link("logs.py", label="To the sync logs", icon=":material/history:")
        return
    live = int(kept[0]["generation"])
    with right:
        names = {str(one["generation"]): generation_name(one, live) for one in kept}
        generation = int(pick("Sync", names, key="sync"))
    state = desk.leases.states([link_id]).get(link_id, {})
    text = desk.reader.text(link_id, generation)
    show_facts(text, state, next(one for one in kept if one["generation"] == generation))
    view = pick_view()
    if view == "lines":
        show_lines(desk, link_id, generation, text)
    elif view == "record":
        show_record(desk, link_id, generation, text)
    else:
        show_comparison(desk, link_id, kept, live)


def show_facts(text: KeptText, state: Document, kept: Document) -> None:
    """How much it is, where from, how old, what was redacted."""
    where = f", found at {state['records_at']}" if state.get("records_at") else ""
    records = kept.get("records", state.get("records", 0))
    st.text(visible(f"{len(text):,} lines of {records:,} records{where}"))
    with st.container(horizontal=True):
        synced = state.get("last_success_at")
        show_moment(f"Last synced {ago(synced)}", synced)
        if kept["at"]:
            show_moment(f"this text is from {ago(kept['at'])}", kept["at"])
        redacted = in_words(kept.get("redacted") or {})
        st.caption(plain(f"Redacted: {redacted}" if redacted else "Nothing was redacted"))


def pick_view() -> str:
    """Lines, a record, or a comparison; stays in the URL."""
    if "view" not in st.session_state and st.query_params.get("view") in VIEWS:
        st.session_state["view"] = st.query_params["view"]
    chosen = st.segmented_control(
        "View",
        list(VIEWS),
        format_func=VIEWS.get,
        key="view",
        default=None if "view" in st.session_state else "lines",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    view: str = chosen or "lines"
    keep_in_url("view", view if view != "lines" else "")
    return view


main()
