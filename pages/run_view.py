"""One sync run, opened: what it did step by step, why it failed, and what can be done about it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.acting import Acting
from core.api.views import duration
from core.errors import DeskError, NotFound
from core.status import diagnosis, failure_in_words
from core.store import Document
from pages.looks import show_moment
from pages.pickers import keep_in_url
from pages.session import (
    ago,
    clock,
    exact,
    may_operate,
    plain,
    say_later,
    signed_in,
    visible,
)


def show_run(acting: Acting, run_id: str) -> None:
    """The run with this id."""
    desk = acting.reading
    try:
        run = desk.runs.get(acting.user.company_id, run_id)
    except NotFound:
        st.info("This run is not kept any more.", icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(run["link_name"]), width="content")
        st.button("Close", icon=":material/close:", on_click=close, type="tertiary")
    facts = f"{run['state']} · page {run['page_id']} · started by {run['trigger']} · {run['_id']}"
    st.caption(plain(facts), help=exact(run["queued_at"]))
    show_failure(run)
    show_actions(acting, run)
    if run["counts"]:
        st.text(" · ".join(f"{value:,} {name}" for name, value in run["counts"].items()))
    show_steps(run)
    lines = [f"{clock(line['at'])} {line['level']:7} {line['text']}" for line in run["lines"]]
    st.code(visible("\n".join(lines)) or "No lines yet.", language=None, wrap_lines=True)
    if fields := run.get("field_changes"):
        with st.expander(f"Fields that changed ({len(fields)})"):
            st.code(visible("\n".join(fields)), language=None, wrap_lines=True)
    if set_aside := run.get("set_aside"):
        count = (run.get("counts") or {}).get("set_aside", len(set_aside))
        with st.expander(f"Records set aside ({count:,})"):
            st.code(visible("\n".join(set_aside)), language=None, wrap_lines=True)
            if count > len(set_aside):
                st.caption(f"The first {len(set_aside)} are kept.")
    if changes := desk.runs.changes(run["_id"]):
        with st.expander(f"What changed ({run.get('changes_total', len(changes))})"):
            st.code(visible("\n".join(changes)), language=None, wrap_lines=True)
            if run.get("changes_total", 0) > len(changes):
                st.caption(f"The first {len(changes)} are kept.")


def close() -> None:
    """Called as the run is closed."""
    keep_in_url("run", "")


def show_failure(run: Document) -> None:
    """Why it failed, who can put it right, and when it is tried again."""
    error = run["error"]
    if not error:
        return
    known = diagnosis(error["kind"])
    with st.container(border=True):
        st.markdown(f"**{plain(known.cause)}**")
        st.text(visible(failure_in_words(error)))
        with st.container(horizontal=True):
            st.caption(plain(f"Who can fix it: {known.who}"), width="content")
            if run["retry_at"]:
                show_moment(f"Next try {ago(run['retry_at'])}", run["retry_at"])


def show_steps(run: Document) -> None:
    """The steps as a timeline."""
    steps = run["steps"]
    if not steps:
        return
    total = duration(run)
    ends = [step["at"] for step in steps[1:]] + [run["finished_at"]]
    table = pd.DataFrame(
        [
            {
                "Step": step["step"],
                "Started": clock(step["at"]),
                "Seconds": end - step["at"] if end else None,
                "Share": 100 * (end - step["at"]) / total if end and total else None,
            }
            for step, end in zip(steps, ends, strict=True)
        ]
    )
    st.dataframe(
        table,
        hide_index=True,
        width=560,
        column_config={
            "Seconds": st.column_config.NumberColumn(format="%.2f"),
            "Share": st.column_config.ProgressColumn(
                "Share of the run", min_value=0, max_value=100, format="%.0f %%"
            ),
        },
        placeholder="",
        alt="The steps of the run and how long each took",
    )


def show_actions(acting: Acting, run: Document) -> None:
    """Approve, reject, retry, cancel: what this run allows."""
    may_change = may_operate(acting)
    if decided := run.get("decision"):
        st.caption(
            plain(f"{decided['decision']} by {decided['by']} {ago(decided['at'])}"),
            help=exact(decided["at"]),
        )
    with st.container(horizontal=True):
        if run["state"] == "held" and not run.get("decision"):
            st.button(
                "Approve: the CRM is right",
                icon=":material/check:",
                on_click=decide,
                args=(run["_id"], "approve"),
                disabled=not may_change,
            )
            st.button(
                "Reject: keep what is served",
                icon=":material/close:",
                on_click=decide,
                args=(run["_id"], "reject"),
                disabled=not may_change,
            )
        if run["state"] in ("queued", "running"):
            st.button(
                "Cancel this run",
                icon=":material/cancel:",
                on_click=cancel,
                args=(run["_id"],),
                disabled=not may_change,
            )
        elif run["state"] != "held":
            st.button(
                "Retry" if run["error"] else "Sync again",
                icon=":material/replay:",
                on_click=retry,
                args=(run["link_id"],),
                disabled=not may_change,
            )
        st.page_link(
            "crm_text.py",
            label="Its CRM text",
            icon=":material/notes:",
            query_params={"page": run["page_id"], "link": run["link_id"]},
        )


def decide(run_id: str, decision: str) -> None:
    """Called as a decision's button is clicked."""
    acting = signed_in()
    try:
        if decision == "approve":
            acting.approve_run(run_id)
            say_later("Approved: it is fetched again and published")
        else:
            acting.reject_run(run_id)
            say_later("Rejected: what was served stays")
    except DeskError as error:
        say_later(str(error), is_error=True)


def cancel(run_id: str) -> None:
    """Called as the run is to be stopped."""
    try:
        signed_in().cancel_run(run_id)
        say_later("The run is being cancelled")
    except DeskError as error:
        say_later(str(error), is_error=True)


def retry(link_id: str) -> None:
    """Called as the link is to be synced again."""
    try:
        signed_in().sync_link(link_id)
        say_later("The sync is under way")
    except DeskError as error:
        say_later(str(error), is_error=True)
