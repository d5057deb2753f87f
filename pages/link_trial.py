"""What a test of a link found."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.status import diagnosis, failure_in_words
from core.store import Document
from core.text.personal import KIND_NAMES, Kind
from core.text.redact import in_words
from pages.session import live, plain, reading, visible


def show_trial(trial_id: str) -> Document | None:
    """The trial's result; None while it is under way, which is then watched."""
    acting, desk = reading()
    trial = desk.trials.get(acting.user.company_id, trial_id)
    if trial["state"] in ("queued", "running"):
        watch_trial(trial_id)
        return None
    with st.container(border=True):
        if trial["state"] == "failed":
            show_failure(trial["error"])
        else:
            show_result(trial["result"])
    return trial


@live(0.5)
def watch_trial(trial_id: str) -> None:
    """Looks until the trial is over; the rest of the page stays usable."""
    acting, desk = reading()
    trial = desk.trials.get(acting.user.company_id, trial_id)
    if trial["state"] in ("done", "failed"):
        st.rerun()
    waits = trial["state"] == "queued"
    st.status("Waiting for the scheduler…" if waits else "Asking the CRM…", state="running")


def show_failure(error: dict[str, Any]) -> None:
    """Why the test failed, and who can help."""
    known = diagnosis(error["kind"])
    st.error(plain(f"{known.cause}."), icon=":material/error:")
    st.text(visible(failure_in_words(error)))
    st.caption(plain(f"Who can fix it: {known.who}"))


def show_result(result: dict[str, Any]) -> None:
    """What came, and what would be stored."""
    pages = f"{result['pages']} pages" if result["pages"] > 1 else "1 page"
    st.success(
        plain(f"{result['status']}: {result['records']:,} records on {pages}"),
        icon=":material/check_circle:",
    )
    with st.container(horizontal=True):
        for label, value in (
            ("Answered in", f"{result['seconds']:.2f} s"),
            ("Records", f"{result['records']:,}"),
            ("Pages", f"{result['pages']:,}"),
            ("Lines", f"{result['total_lines']:,}"),
            ("Chunks", f"{result['chunks']:,}"),
            ("To embed", f"{result['new_chunks']:,}"),
        ):
            st.metric(label, value, border=True, width=130)
    where = result["records_at"] or "no list: the whole answer is one record"
    st.caption(plain(f"Records found at {where}; pagination: {result['pagination']}."))
    st.caption(
        f"Embedding would take about {result['embed_seconds']:.1f} s "
        f"({result['tokens']:,} tokens); what is served already is not embedded again."
    )
    found = {KIND_NAMES[Kind(kind)]: n for kind, n in result["personal"].items()}
    if found:
        counted = ", ".join(f"{n:,} × {name}" for name, n in found.items())
        done = in_words(result["redacted"]) or "nothing is redacted"
        st.warning(plain(f"Looks personal: {counted}. Before storing: {done}."))
    elif result["redacted"]:
        st.caption(plain(f"Before storing: {in_words(result['redacted'])}."))
    else:
        st.caption("Nothing in it looks personal.")
    for warning in result["warnings"]:
        st.warning(plain(warning), icon=":material/warning:")
    if set_aside := result["set_aside"]:
        with st.expander(f"Records that break a rule ({set_aside:,})", expanded=True):
            st.code(visible("\n".join(result["set_aside_lines"])), language=None, wrap_lines=True)
    if difference := result["difference"]:
        show_difference(difference, result["records"])
    shown = len(result["lines"])
    st.write("As it would be stored" + (f": the first {shown} lines" if shown else ""))
    st.code(visible("\n".join(result["lines"])) or " ", language=None, height=300)


def show_difference(difference: dict[str, Any], records: int) -> None:
    """What is different from what is served now."""
    if difference["would_be_held"]:
        st.warning(
            f"{records:,} records instead of {difference['served_records']:,}: the sync would be "
            "held until a person approves it.",
            icon=":material/front_hand:",
        )
    if not difference["total"]:
        st.caption("The same as what is served now.")
        return
    with st.expander(f"Changes against what is served ({difference['total']:,})", expanded=True):
        st.code(visible("\n".join(difference["lines"])), language=None, wrap_lines=True)
        if difference["total"] > len(difference["lines"]):
            st.caption(f"The first {len(difference['lines'])} are shown.")
