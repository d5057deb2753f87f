"""Sync logs: what ran, what failed and why, and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from core.api.views import duration
from core.errors import DeskError
from core.models import RunState
from core.scheduler import heartbeats
from core.security.accounts import Role
from core.store import Document
from pages.pickers import page_names, pick
from pages.session import ago, may_change, plain, show_error, signed_in

SHOWN = 100
COLORS = {
    "queued": "gray",
    "running": "blue",
    "succeeded": "green",
    "unchanged": "green",
    "held": "orange",
    "failed": "red",
    "cancelled": "gray",
    "interrupted": "orange",
}

desk, user = signed_in()


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def show_run(run: Document) -> None:
    """One run, opened."""
    st.subheader(plain(run["link_name"]))
    st.caption(
        plain(
            f"{run['state']} · page {run['page_id']} · started by {run['trigger']} · {run['_id']}"
        )
    )
    if error := run["error"]:
        retry = f" Next try {ago(run['retry_at'])}." if run["retry_at"] else ""
        st.warning(plain(f"{error['message']} {error['action']}{retry}"), icon=":material/error:")
    if run["state"] == "held":
        show_decision(run)
    if run["counts"]:
        st.text(" · ".join(f"{value:,} {name}" for name, value in run["counts"].items()))
    steps = run["steps"]
    ends = [step["at"] for step in steps[1:]] + [run["finished_at"]]
    if steps:
        told = [
            step["step"] + (f" {end - step['at']:.1f} s" if end else " …")
            for step, end in zip(steps, ends, strict=True)
        ]
        st.text(" → ".join(told))
    lines = [
        f"{datetime.fromtimestamp(line['at'], UTC):%H:%M:%S} {line['level']:7} {line['text']}"
        for line in run["lines"]
    ]
    st.code("\n".join(lines) or "No lines yet.", language=None, wrap_lines=True)
    if changes := desk.runs.changes(run["_id"]):
        with st.expander(f"What changed ({run.get('changes_total', len(changes))})"):
            st.code("\n".join(changes), language=None, wrap_lines=True)
            if run.get("changes_total", 0) > len(changes):
                st.caption(f"The first {len(changes)} are kept.")
    may_cancel = run["state"] in ("queued", "running") and may_change(user)
    if may_cancel and st.button("Cancel this run", icon=":material/cancel:"):
        try:
            desk.runs.cancel(user.company_id, run["_id"])
        except DeskError as problem:
            show_error(problem)


def show_decision(run: Document) -> None:
    """What a person decided on a held run, or the buttons to decide."""
    if decided := run.get("decision"):
        st.caption(plain(f"{decided['decision']} by {decided['by']} {ago(decided['at'])}"))
        return
    with st.container(horizontal=True):
        st.button(
            "Approve: the CRM is right",
            icon=":material/check:",
            on_click=decide,
            args=(run["_id"], "approve"),
            disabled=not may_change(user),
        )
        st.button(
            "Reject: keep what is served",
            icon=":material/close:",
            on_click=decide,
            args=(run["_id"], "reject"),
            disabled=not may_change(user),
        )


def decide(run_id: str, decision: str) -> None:
    """Called as a decision's button is clicked."""
    _, someone = signed_in()
    try:
        someone.require(Role.OPERATOR)
        if decision == "approve":
            desk.links.approve(someone.company_id, run_id, someone.username)
            st.toast("Approved: it is fetched again and published", icon=":material/check:")
        else:
            desk.links.reject(someone.company_id, run_id, someone.username)
            st.toast("Rejected: what was served stays", icon=":material/check:")
    except DeskError as error:
        st.toast(plain(str(error)), icon=":material/error:")


@st.fragment(run_every=2.0)
def show_runs(page_id: str, state: str) -> None:
    """The runs, newest first; asks the store again every two seconds."""
    _, someone = signed_in()
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
    runs = desk.runs.find(
        someone.company_id,
        page_id=None if page_id == "all" else page_id,
        state=None if state == "all" else RunState(state),
        limit=SHOWN,
    )
    if not runs:
        st.info(
            "No sync has run yet. Add a CRM link, and its first run appears here within seconds.",
            icon=":material/info:",
        )
        st.page_link("links.py", label="To the CRM links", icon=":material/link:")
        return
    table = pd.DataFrame(
        [
            {
                "When": _moment(run["queued_at"]),
                "State": [run["state"]],
                "CRM link": run["link_name"],
                "What happened": run["error"]["message"]
                if run["error"]
                else (run["lines"][-1]["text"] if run["lines"] else ""),
                "Records": run["counts"].get("records"),
                "Seconds": duration(run),
                "Next try": _moment(run["retry_at"]),
                "Page": run["page_id"],
                "Started by": run["trigger"],
            }
            for run in runs
        ]
    )
    selection = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs-table",
        column_config={
            "When": st.column_config.DatetimeColumn(format="distance"),
            "State": st.column_config.MultiselectColumn(
                options=list(COLORS), color=list(COLORS.values())
            ),
            "Next try": st.column_config.DatetimeColumn(format="distance"),
            "What happened": st.column_config.TextColumn(width="large"),
            "Seconds": st.column_config.NumberColumn(format="%.1f"),
        },
    )
    rows = selection["selection"]["rows"]
    if rows:
        # What is open stays open while newer runs push it down the table.
        chosen = runs[rows[0]]["_id"] if rows != st.session_state.get("runs-rows") else None
        st.session_state["runs-open"] = chosen or st.session_state.get("runs-open")
    else:
        st.session_state["runs-open"] = None
    st.session_state["runs-rows"] = rows
    if opened := st.session_state["runs-open"]:
        show_run(desk.runs.get(someone.company_id, opened))
    else:
        st.caption("Select a row to read what the run did.")


st.title("Sync logs")
left, right = st.columns(2)
with left:
    chosen_page = pick("Page", {"all": "All pages"} | page_names(desk, user), key="log_page")
with right:
    states = {state.value: state.value.capitalize() for state in RunState}
    chosen_state = pick("State", {"all": "All states"} | states, key="state")
show_runs(chosen_page, chosen_state)
