"""Settings about the data: company and pages, redaction, export and import, the parts' state."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from core.acting import Acting
from core.api.schemas import NewPage
from core.errors import DeskError
from core.links import page_links
from core.scheduler import heartbeats
from core.store import Document
from core.text.personal import KIND_NAMES, Kind
from core.text.redact import Action
from core.vectors.follower import mirror_beats
from pages.pickers import write_filter
from pages.session import (
    ago,
    answered,
    ask,
    cell,
    exact,
    later,
    live,
    may_administer,
    may_operate,
    plain,
    reading,
    say,
    say_later,
    show_error,
    signed_in,
    visible,
)

PAGES_SHOWN = 4
ACTIONS = {
    Action.KEEP: "Keep",
    Action.MASK: "Mask",
    Action.HASH: "Hash: equal values stay equal",
    Action.DROP: "Drop",
}


def show_pages(acting: Acting) -> None:
    """The company, its pages, and adding one."""
    company = acting.reading.companies.get(acting.user.company_id)
    if may_administer(acting):
        with st.form("company"):
            name = st.text_input("Company name", value=company["company_name"])
            if st.form_submit_button("Rename") and name.strip():
                try:
                    acting.rename_company(name.strip())
                except DeskError as error:
                    show_error(error)
                else:
                    say_later("Company renamed")
                    st.rerun()
    else:
        st.caption(plain(f"Company: {company['company_name']}"))
    if not company["pages"]:
        st.info("There is no page yet: add the first one below.", icon=":material/info:")
    found, number = company["pages"], 1
    if len(found) > PAGES_SHOWN:
        wanted = write_filter("Find a page", key="find_page", placeholder="Name or ID").casefold()
        found = [p for p in found if wanted in f"{p['page_name']} {p['page_id']}".casefold()]
    if len(found) > PAGES_SHOWN:
        number = st.pagination(-(-len(found) // PAGES_SHOWN), key="pages-page")
    for page in found[(number - 1) * PAGES_SHOWN : number * PAGES_SHOWN]:
        show_page(acting, page)
    if may_operate(acting):
        add_page(acting)


def show_page(acting: Acting, page: Document) -> None:
    """One page."""
    count = len(page_links(acting.user.company_id, page))
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(page['page_name'])}**", width="content")
        st.caption(plain(f"{page['page_id']} · {count} CRM links"), width="content")
        st.page_link(
            "links.py",
            label="Its links",
            icon=":material/link:",
            query_params={"page": page["page_id"]},
        )
        if may_operate(acting):
            st.button(
                "Rename",
                key=f"rename-{page['page_id']}",
                icon=":material/edit:",
                type="tertiary",
                on_click=ask,
                args=("rename page", page["page_id"], page["page_name"]),
            )
        if may_administer(acting):
            st.button(
                "Delete",
                key=f"delete-{page['page_id']}",
                icon=":material/delete:",
                type="tertiary",
                on_click=delete_page,
                args=(page["page_id"],),
                disabled=count > 0,
                help="Delete its CRM links first." if count else None,
            )


def add_page(acting: Acting) -> None:
    """The form for another page."""
    st.subheader("Add a page")
    with st.form("add-page", clear_on_submit=False):
        page_id = st.text_input(
            "Page ID", help="Facebook shows it under About → Page transparency."
        )
        page_name = st.text_input("Page name")
        if st.form_submit_button("Add page", type="primary"):
            try:
                new = NewPage(page_id=page_id, page_name=page_name)
                acting.add_page(new.page_id, new.page_name)
            except ValidationError as error:
                for item in error.errors():
                    field = str(item["loc"][0]).replace("page_id", "Page ID")
                    message = item["msg"].removeprefix("Value error, ")
                    st.error(plain(f"{field.replace('page_name', 'Page name')} {message}"))
            except DeskError as error:
                show_error(error)
            else:
                say_later("Page added")
                st.rerun()


@st.dialog("Rename this page", on_dismiss=answered)
def rename_page(page_id: str, before: str) -> None:
    """Another name for a page."""
    acting = signed_in()
    name = st.text_input("New name", value=before)
    if st.button("Rename it", type="primary"):
        try:
            acting.rename_page(page_id, NewPage(page_id=page_id, page_name=name).page_name)
        except ValidationError as error:
            st.error(plain(f"Page name {error.errors()[0]['msg'].removeprefix('Value error, ')}"))
            return
        except DeskError as error:
            show_error(error)
            return
        answered()
        say_later("Page renamed")
        st.rerun()


def delete_page(page_id: str) -> None:
    """Called as a page is to go."""
    try:
        signed_in().delete_page(page_id)
        say_later("Page deleted")
    except DeskError as error:
        say_later(str(error), is_error=True)


def show_redaction(acting: Acting) -> None:
    """What is redacted in every link."""
    policy = acting.reading.policies.of_company(acting.user.company_id)
    may_change = may_administer(acting)
    st.caption(
        "Done before anything is stored, from each link's next sync on. A link's own rules come "
        "first, then the rules here, then the kinds."
    )
    with st.form("redaction"):
        columns = st.columns(3)
        kinds = {
            kind: columns[number % 3].selectbox(
                KIND_NAMES[kind].capitalize() + "s",
                list(ACTIONS),
                index=list(ACTIONS).index(policy.kinds[kind]),
                format_func=ACTIONS.get,
                disabled=not may_change,
            )
            for number, kind in enumerate(Kind)
        }
        rules = [rule.to_document() for rule in policy.rules]
        edited = st.data_editor(
            pd.DataFrame(rules, columns=["path", "action"], dtype="str"),
            num_rows="dynamic",
            hide_index=True,
            disabled=not may_change,
            column_config={
                "path": st.column_config.TextColumn(
                    "Field", help="Like customers[].notes, or notes for every field of that name"
                ),
                "action": st.column_config.SelectboxColumn(
                    "What becomes of it", options=[action.value for action in Action]
                ),
            },
        )
        if st.form_submit_button("Save rules", type="primary", disabled=not may_change):
            chosen = [
                {"path": str(row["path"] or ""), "action": str(row["action"] or "mask")}
                for row in edited.to_dict("records")
                if isinstance(row["path"], str) and row["path"].strip()
            ]
            try:
                acting.set_redaction({kind.value: kinds[kind].value for kind in kinds}, chosen)
            except DeskError as error:
                show_error(error)
            else:
                say_later("Redaction rules saved; they hold from each link's next sync on")
                st.rerun()


def show_erasures(acting: Acting) -> None:
    """Erasing a person, and the reports."""
    st.caption(
        "Everything that holds the value is removed: records, chunks, kept syncs, the search "
        "index, and what runs and saved questions say of it. Its records are left out of every "
        "later sync. This can't be undone."
    )
    with st.form("erase", clear_on_submit=True):
        value = st.text_input("Value", placeholder="E-mail address, phone number or customer id")
        sure = st.checkbox("I am sure")
        if st.form_submit_button("Erase", type="primary"):
            if not sure:
                st.warning("Tick that you are sure. Nothing was erased.")
            else:
                try:
                    acting.erase(value)
                except DeskError as error:
                    show_error(error)
                else:
                    say("It is being erased")
    show_reports()


@live(2.0)
def show_reports() -> None:
    """What was erased so far."""
    erasures = signed_in().erasures()
    if not erasures:
        st.caption("Nobody was erased so far.")
    for erasure in erasures:
        with st.container(border=True):
            st.markdown(f"**{plain(erasure['_id'])}**")
            st.caption(
                plain(f"{erasure['state']}, asked for by {erasure['by']} {ago(erasure['at'])}"),
                help=exact(erasure["at"]),
            )
            if report := erasure["report"]:
                for link in report["links"]:
                    st.text(
                        visible(
                            f"{link['link_name']}: {link['records']} records in {link['chunks']} "
                            f"chunks, {link['kept']} in kept syncs"
                        )
                    )
                st.text(
                    f"{report['runs']} runs, {report['changes']} kept changes, "
                    f"{report['questions']} saved questions and {report.get('audit', 0)} entries "
                    "of the audit log were cleared of it"
                )


def show_configuration(acting: Acting) -> None:
    """Export and import of pages, links and redaction rules."""

    again = later()

    def export() -> str:
        return again()[0].export_configuration()

    st.write("Export")
    st.caption("Pages, links and redaction rules as YAML. Keys and secret headers are left out.")
    st.download_button(
        "Download configuration",
        export,
        file_name="crm-desk.yaml",
        mime="application/yaml",
        icon=":material/download:",
        on_click="ignore",
    )
    st.write("Import")
    st.caption("Adds and changes what the file names, and deletes nothing.")
    uploaded = st.file_uploader("Configuration file", type=["yaml", "yml"])
    if uploaded is None:
        return
    try:
        text = uploaded.getvalue().decode("utf-8")
        steps = acting.import_configuration(text, dry_run=True)
    except UnicodeDecodeError:
        st.error("The file is not UTF-8 text. Nothing was changed.", icon=":material/error:")
        return
    except DeskError as error:
        show_error(error)
        return
    changing = [step for step in steps if step.action != "keep"]
    st.caption(f"{len(changing)} changes, {len(steps) - len(changing)} things are as in the file.")
    if not changing:
        st.success("Everything is as in the file.", icon=":material/check_circle:")
        return
    st.dataframe(
        pd.DataFrame(
            [
                {"Does": s.action, "What": cell(s.subject), "In detail": cell(s.detail)}
                for s in changing
            ]
        ),
        hide_index=True,
        alt="What the import would do",
    )
    if st.button("Import it", type="primary", icon=":material/upload:"):
        try:
            acting.import_configuration(text, dry_run=False)
        except DeskError as error:
            show_error(error)
            return
        say_later(f"Imported: {len(changing)} changes")
        st.rerun()


@live(5.0)
def show_system(acting: Acting) -> None:  # noqa: ARG001  (as the other sections)
    """How the store, the mirrors and the schedulers are."""
    _, desk = reading()
    engine = "MongoDB" if desk.settings.mongodb_uri else "embedded, in DATA_DIR/store"
    st.write("Document store")
    st.text(f"Answers ({engine}).")
    st.write("Search mirrors")
    mirrors = mirror_beats(desk.database["mirrors"])
    if mirrors:
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Process": beat["_id"],
                        "Heard": ago(beat["at"]),
                        "Seconds behind": float(beat["lag"]),
                    }
                    for beat in mirrors
                ]
            ),
            hide_index=True,
            alt="Search mirrors",
        )
    else:
        st.caption("No web process has reported a mirror yet.")
    st.write("Schedulers")
    alive = heartbeats(desk.database)
    if alive:
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Process": beat["_id"],
                        "Heard": ago(beat["at"]),
                        "Syncing": beat["busy"],
                        "Workers": beat["workers"],
                    }
                    for beat in alive
                ]
            ),
            hide_index=True,
            alt="Schedulers",
        )
    else:
        st.warning(
            "No scheduler is running: nothing is synced. Start one with python -m core scheduler.",
            icon=":material/warning:",
        )
    st.write("Embedding model")
    st.text(desk.embedder.model_name + (" (loaded)" if desk.embedder.is_loaded else " (loading)"))
