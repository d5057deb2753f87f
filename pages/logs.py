"""Sync logs: what ran, what failed and why, when it is tried again, and what waits for a person."""

from __future__ import annotations

import json
import time
from typing import Any

import pandas as pd
import streamlit as st

from core.acting import Acting
from core.api.views import duration, run_view
from core.models import RunState, Trigger
from core.scheduler import heartbeats
from core.store import Document
from core.text.spreadsheet import to_csv
from pages.looks import RUN_COLORS
from pages.pickers import ALL, keep_in_url, page_names, pick
from pages.run_view import show_run
from pages.session import ago, cell, later, live, local, reading

SHOWN = 50
MAX_DOWNLOAD = 10_000
SPANS = {
    ALL: "Any time",
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
}
SECONDS = {"1h": 3600.0, "24h": 86400.0, "7d": 7 * 86400.0}
TRIGGERS = {
    Trigger.SCHEDULE: "Schedule",
    Trigger.MANUAL: "By hand",
    Trigger.ADDED: "Link added",
    Trigger.EDITED: "Link edited",
    Trigger.SWITCHED_ON: "Switched on",
    Trigger.APPROVED: "Approved",
}
COLUMNS = ("When", "State", "CRM link", "What happened", "Records", "Seconds", "Next try", "Page")


def filters(acting: Acting) -> dict[str, Any]:
    """What is chosen above the table; all of it stays in the URL."""
    pages, links, states, triggers, spans = st.columns([2, 2, 1.3, 1.3, 1.3])
    with pages:
        page_id = pick("Page", {ALL: "All pages"} | page_names(acting), key="log_page")
    company_id = acting.user.company_id
    found = (
        acting.reading.links.of_company(company_id)
        if page_id == ALL
        else acting.reading.links.of_page(company_id, page_id)
    )
    names = {link.link.link_id: link.link.name for link in found}
    asked = st.query_params.get("log_link")
    if asked and asked not in names:
        # A deleted link's runs can still be read.
        names[asked] = asked
    with links:
        link_id = pick("CRM link", {ALL: "All links"} | names, key="log_link")
    with states:
        words = {state.value: state.value.capitalize() for state in RunState}
        state = pick("State", {ALL: "Any state"} | words, key="state")
    with triggers:
        words = {trigger.value: name for trigger, name in TRIGGERS.items()}
        trigger = pick("Started by", {ALL: "Anything"} | words, key="trigger")
    with spans:
        span = pick("Time", SPANS, key="span")
    return {
        "page_id": None if page_id == ALL else page_id,
        "link_id": None if link_id == ALL else link_id,
        "state": None if state == ALL else RunState(state),
        "trigger": None if trigger == ALL else Trigger(trigger),
        "since": time.time() - SECONDS[span] if span in SECONDS else None,
    }


def show_schedulers(desk: Any) -> None:
    """Whether anything can run at all."""
    alive = heartbeats(desk.database)
    if alive:
        heard = max(float(beat["at"]) for beat in alive)
        busy = sum(int(beat["busy"]) for beat in alive)
        st.caption(f"Schedulers running: {len(alive)} · heard from {ago(heard)} · syncing {busy}")
    else:
        st.warning(
            "No scheduler is running: nothing is synced. Start one with python -m core scheduler.",
            icon=":material/warning:",
        )


def row(run: Document) -> dict[str, Any]:
    """A run in the table."""
    what = run["error"]["message"] if run["error"] else ""
    if not what and run["lines"]:
        what = run["lines"][-1]["text"]
    return {
        "When": local(run["queued_at"]).replace(tzinfo=None),
        "State": [run["state"]],
        "CRM link": cell(run["link_name"]),
        "What happened": cell(what),
        "Records": run["counts"].get("records"),
        "Seconds": duration(run),
        "Next try": local(run["retry_at"]).replace(tzinfo=None) if run["retry_at"] else None,
        "Page": run["page_id"],
        "Started by": TRIGGERS[Trigger(run["trigger"])],
    }


@live(2.0)
def show_runs(chosen: dict[str, Any]) -> None:
    """The runs, newest first; live until someone reads one, or older ones."""
    acting, desk = reading()
    company_id = acting.user.company_id
    show_schedulers(desk)
    opened = st.query_params.get("run", "")
    before = float(st.query_params["before"]) if "before" in st.query_params else None
    # While somebody reads, the table keeps still; a button says how much is new.
    frozen = st.session_state.get("runs-as-of") if opened and before is None else None
    runs = desk.runs.find(company_id, **chosen, before=before or frozen, limit=SHOWN)
    newer = 0
    if frozen is not None:
        newer = desk.runs.count(company_id, **{**chosen, "since": frozen})
    with st.container(horizontal=True, vertical_alignment="center"):
        if newer and st.button(f"Show {newer} newer", icon=":material/arrow_upward:"):
            st.session_state["runs-as-of"] = time.time()
            st.rerun(scope="fragment")
        if before is not None and st.button("Newest", icon=":material/first_page:"):
            keep_in_url("before", "")
            st.rerun(scope="fragment")
        if len(runs) == SHOWN and st.button("Older", icon=":material/chevron_right:"):
            keep_in_url("before", str(runs[-1]["queued_at"]))
            keep_in_url("run", "")
            st.rerun(scope="fragment")
    if not runs:
        st.info(
            "No sync has run yet that fits. Add a CRM link, and its first run appears here within "
            "seconds.",
            icon=":material/info:",
        )
        st.page_link("links.py", label="To the CRM links", icon=":material/link:")
    else:
        show_table(runs)
    opened = st.query_params.get("run", "")
    if opened:
        show_run(acting, opened)
    elif runs:
        st.caption("Select a row to read what the run did.")


def show_table(runs: list[Document]) -> None:
    """The table; a selected row is put into the URL."""
    selection = st.dataframe(
        pd.DataFrame([row(run) for run in runs]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs-table",
        height=min(38 * len(runs) + 38, 420),
        column_config={
            "When": st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss", width=130),
            "State": st.column_config.MultiselectColumn(
                options=list(RUN_COLORS), color=list(RUN_COLORS.values())
            ),
            "Next try": st.column_config.DatetimeColumn(format="D MMM, HH:mm:ss"),
            "What happened": st.column_config.TextColumn(width="large"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
        },
        placeholder="",
        alt="Sync runs, newest first",
    )
    rows = selection["selection"]["rows"]
    if rows == st.session_state.get("runs-rows", []):
        return
    st.session_state["runs-rows"] = rows
    if rows and rows[0] < len(runs):
        # From now on the table keeps still: it ends with the newest run that it shows.
        st.session_state["runs-as-of"] = runs[0]["queued_at"] + 0.000_01
        keep_in_url("run", runs[rows[0]]["_id"])
    else:
        keep_in_url("run", "")


def download(chosen: dict[str, Any]) -> None:
    """The runs that fit the filters, as files."""

    again = later()

    def found() -> list[dict[str, Any]]:
        acting, desk = again()
        runs = desk.runs.find(acting.user.company_id, **chosen, limit=MAX_DOWNLOAD)
        return [run_view(run) for run in runs]

    def as_csv() -> str:
        header = (
            "run_id",
            "queued_at",
            "state",
            "trigger",
            "page_id",
            "link_id",
            "link_name",
            "duration_seconds",
            "records",
            "documents",
            "embedded",
            "error",
            "action",
            "retry_at",
        )
        rows = []
        for run in found():
            flat = {**run, **run["counts"]}
            if run["error"]:
                flat |= {"error": run["error"]["message"], "action": run["error"]["action"]}
            rows.append([flat.get(name) for name in header])
        return to_csv(header, rows)

    def as_lines() -> str:
        return "".join(json.dumps(run, ensure_ascii=False) + "\n" for run in found())

    with st.container(horizontal=True):
        st.download_button(
            "Download CSV",
            as_csv,
            file_name="sync-runs.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download JSON lines",
            as_lines,
            file_name="sync-runs.jsonl",
            mime="application/jsonl",
            icon=":material/download:",
            on_click="ignore",
        )


user, _ = reading()
st.title("Sync logs")
wanted = filters(user)
show_runs(wanted)
download(wanted)
