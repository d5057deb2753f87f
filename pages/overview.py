"""Overview: how every link is, what needs a person first, and how the last days went."""

from __future__ import annotations

import streamlit as st

from core.desk import Desk
from core.overview import Concern, Overview
from core.scheduler import heartbeats
from core.vectors.follower import mirror_beats
from pages.looks import LOOKS, show_moment, show_status
from pages.session import ago, live, local, plain, reading

SHOWN = 8
COUNTED = (
    ("serving", "Serving", "Synced as planned; the bot answers from them."),
    ("failing", "Failing", "Failed again and again; see below."),
    ("held", "Held", "An answer waits for a person to approve or reject it."),
    ("retrying", "Retrying", "Failed lately; tried again by itself."),
    ("stale", "Stale", "Not synced for three of their intervals."),
    ("waiting", "Never synced", "Added, and not synced yet."),
)


@live(5.0)
def show_overview() -> None:
    """Everything; asks the store again every five seconds."""
    acting, desk = reading()
    look = desk.overviews.look(acting.user.company_id)
    if not sum(look.counts.values()):
        st.info(
            "No CRM is connected yet: add a page, then its first CRM link.",
            icon=":material/info:",
        )
        with st.container(horizontal=True):
            st.page_link("settings.py", label="Add a page", icon=":material/add:")
            st.page_link("links.py", label="To the CRM links", icon=":material/link:")
    else:
        show_counts(look)
        show_concerns(look.concerns)
        show_days(look)
    show_system(desk)


def show_counts(look: Overview) -> None:
    """How many links are how."""
    with st.container(horizontal=True):
        for status, label, help_text in COUNTED:
            st.metric(
                label,
                look.standing[status],
                help=help_text,
                border=True,
                width=150,
                height="stretch",
            )
    with st.container(horizontal=True):
        for status in ("failing", "held", "retrying", "stale", "waiting", "off"):
            if count := look.counts[status]:
                st.page_link(
                    "links.py",
                    label=f"{LOOKS[status][0]} ({count})",
                    icon=LOOKS[status][2],
                    query_params={"status": status},
                )


def show_concerns(concerns: list[Concern]) -> None:
    """What needs a look, the most urgent first."""
    st.subheader("Needs a look")
    if not concerns:
        st.success("Nothing: every link syncs as planned.", icon=":material/check_circle:")
        return
    for concern in concerns[:SHOWN]:
        show_concern(concern)
    if len(concerns) > SHOWN:
        more = len(concerns) - SHOWN
        st.page_link("links.py", label=f"{more} more in Links", icon=":material/arrow_forward:")


def show_concern(concern: Concern) -> None:
    """One card."""
    own = concern.link.link
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(concern.cause)}**", width="content")
            show_status(concern.status)
        st.caption(plain(f"{own.name} · {concern.link.page_name} ({concern.link.page_id})"))
        st.text(concern.detail)
        with st.container(horizontal=True):
            st.caption(plain(f"Who can fix it: {concern.who}"), width="content")
            show_moment(f"Last good sync {ago(concern.since)}", concern.since)
            if concern.retry_at:
                show_moment(f"Next try {ago(concern.retry_at)}", concern.retry_at)
            else:
                st.caption("Waits for a decision", width="content")
        with st.container(horizontal=True):
            state = "held" if concern.status == "held" else "failed"
            st.page_link(
                "logs.py",
                label="Approve or reject it" if state == "held" else "Its runs",
                icon=":material/front_hand:" if state == "held" else ":material/history:",
                query_params={"log_link": own.link_id, "state": state},
            )
            st.page_link(
                "link_form.py",
                label="Edit the link",
                icon=":material/edit:",
                query_params={"edit": own.link_id},
            )


def show_days(look: Overview) -> None:
    """The last seven days."""
    st.subheader("Last 7 days")
    rates = [day.success_rate for day in look.days]
    fresh = [day.freshness for day in look.days]
    first, last = local(look.days[0].start), local(look.days[-1].start)
    span = f"{first:%d %b} to {last:%d %b}, a point a day"
    with st.container(horizontal=True):
        _share("Success rate", rates, f"Runs that ended well, of those that ended. {span}.")
        _share("Freshness", fresh, f"Links synced within three of their intervals. {span}.")
        runs = [day.runs for day in look.days]
        st.metric(
            "Runs today",
            f"{runs[-1]:,}",
            chart_data=runs,
            chart_type="bar",
            border=True,
            help=f"Sync runs that ended. {span}.",
            width=224,
            height="stretch",
        )
        st.metric(
            "Documents served",
            f"{look.documents:,}",
            border=True,
            help=f"Of {look.records:,} records.",
            width=224,
            height="stretch",
        )


def _share(label: str, shares: list[float | None], help_text: str) -> None:
    known = [share for share in shares if share is not None]
    st.metric(
        label,
        f"{known[-1]:.0%}" if known else "–",
        chart_data=[round(100 * share, 1) for share in known] or None,
        chart_type="area",
        border=True,
        help=help_text,
        width=224,
        height="stretch",
    )


def show_system(desk: Desk) -> None:
    """The scheduler, the queue, the mirrors and the store."""
    st.subheader("Running")
    alive = heartbeats(desk.database)
    if not alive:
        st.warning(
            "No scheduler is running: nothing is synced. Start one with python -m core scheduler.",
            icon=":material/warning:",
        )
    mirrors = mirror_beats(desk.database["mirrors"])
    with st.container(horizontal=True):
        heard = max((float(beat["at"]) for beat in alive), default=None)
        st.metric(
            "Schedulers",
            len(alive),
            help=f"Heard from {ago(heard)}.",
            border=True,
            width=150,
            height="stretch",
        )
        busy = sum(int(beat["busy"]) for beat in alive)
        st.metric("Syncing now", busy, border=True, width=150, height="stretch")
        st.metric("In the queue", desk.leases.due_count(), border=True, width=150, height="stretch")
        lag = max((float(beat["lag"]) for beat in mirrors), default=0.0)
        st.metric(
            "Search mirrors",
            len(mirrors),
            help=f"The slowest is {lag:.0f} s behind the store.",
            border=True,
            width=150,
            height="stretch",
        )
        engine = "MongoDB" if desk.settings.mongodb_uri else "Embedded"
        st.metric("Store", engine, help="Answers.", border=True, width=220, height="stretch")


reading()
st.title("Overview")
show_overview()
