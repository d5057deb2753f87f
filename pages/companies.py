"""Pages: the company's Facebook pages."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from core.api.schemas import NewPage
from core.errors import DeskError
from core.links import page_links
from pages.session import may_change, plain, show_error, signed_in

desk, user = signed_in()
company = desk.companies.get(user.company_id)

st.title("Pages")
st.caption(f"The Facebook pages of {plain(company['company_name'])} that the bot answers on.")

if may_change(user):
    with st.form("add-page", clear_on_submit=False):
        page_id = st.text_input(
            "Page ID", help="Facebook shows it under About → Page transparency."
        )
        page_name = st.text_input("Page name")
        if st.form_submit_button("Add page", type="primary"):
            try:
                new = NewPage(page_id=page_id, page_name=page_name)
                desk.companies.add_page(user.company_id, new.page_id, new.page_name)
            except ValidationError as error:
                for item in error.errors():
                    field = str(item["loc"][0]).replace("page_id", "Page ID")
                    message = item["msg"].removeprefix("Value error, ")
                    st.error(plain(f"{field.replace('page_name', 'Page name')} {message}"))
            except DeskError as error:
                show_error(error)
            else:
                st.toast("Page added", icon=":material/check:")
                company = desk.companies.get(user.company_id)

if not company["pages"]:
    st.info("There is no page yet: add the first one above.", icon=":material/info:")
else:
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "Page": page["page_name"],
                    "Page ID": page["page_id"],
                    "CRM links": len(page_links(user.company_id, page)),
                }
                for page in company["pages"]
            ]
        ),
        hide_index=True,
    )
    st.page_link("links.py", label="To the CRM links", icon=":material/link:")
