"""OAuth 2.0: tokens are got once, kept encrypted, refreshed, and a refusal is said plainly."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tests.product import PASSWORD, Client, Product
from tests.servers.crm import Crm, customers
from tests.servers.oauth import CLIENT_SECRET, Authorization
from tests.waiting import until


@pytest.fixture
def authorization(crm: Crm, path: str) -> Authorization:
    return Authorization(crm, path)


def browser_session(product: Product) -> requests.Session:
    """A browser that is signed in to the dashboard."""
    session = requests.Session()
    session.trust_env = False
    form = {"username": "admin", "password": PASSWORD}
    session.post(f"{product.address}/login", data=form, timeout=30)
    return session


@pytest.mark.parametrize("way", ["basic", "body"])
def test_a_client_gets_a_token_with_its_id_and_secret(
    api: Client, page_id: str, authorization: Authorization, way: str
) -> None:
    url = authorization.protect(customers("John Doe"))
    link = api.add_link(page_id, url, options=authorization.options(scope="crm", token_auth=way))
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    sent = authorization.asked()[0]
    assert (sent["grant_type"], sent["scope"]) == ("client_credentials", "crm")
    assert ("client_secret" in sent) == (way == "body")
    assert link["options"]["client_secret"] == "***"
    assert any("John Doe" in text for text in api.texts(page_id))


def test_many_runs_at_once_share_one_token(
    api: Client, page_id: str, authorization: Authorization
) -> None:
    url = authorization.protect(customers("John Doe"))
    links = [
        api.add_link(page_id, f"{url}?of={number}", options=authorization.options())
        for number in range(6)
    ]
    runs = [api.ended_run(link["link_id"]) for link in links]
    assert {run["state"] for run in runs} == {"succeeded"}
    assert len(authorization.asked()) == 1


def test_a_token_that_was_taken_back_is_replaced_within_the_run(
    api: Client, page_id: str, authorization: Authorization
) -> None:
    url = authorization.protect(customers("John Doe"))
    link = api.add_link(page_id, url, options=authorization.options())
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    authorization.good = set()
    assert api.sync(link["link_id"])["state"] in ("succeeded", "unchanged")
    assert len(authorization.asked()) == 2


def test_a_token_that_ends_between_two_pages_is_replaced(
    api: Client, page_id: str, authorization: Authorization
) -> None:
    pages: list[list[object]] = [[{"id": n, "name": f"Person {n}"}] for n in range(4)]
    url = authorization.protect_pages(pages)
    link = api.add_link(page_id, url, options=authorization.options())
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["pages"]) == ("succeeded", 4)
    assert len(authorization.asked()) == 4
    assert all(any(f"Person {n}" in text for text in api.texts(page_id)) for n in range(4))


def test_a_token_that_is_about_to_end_is_not_used_again(
    api: Client, page_id: str, authorization: Authorization
) -> None:
    authorization.lifetime = 1
    url = authorization.protect(customers("John Doe"))
    options = authorization.options(refresh_token="refresh-0")
    authorization.refresh = "refresh-0"
    link = api.add_link(page_id, url, options=options)
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    assert authorization.asked()[0]["grant_type"] == "refresh_token"
    # The refresh token rotates: the next one is that of the last answer.
    first = authorization.refresh
    until(
        lambda: api.sync(link["link_id"])["state"] and len(authorization.asked()) > 1, "a renewal"
    )
    assert authorization.asked()[-1]["refresh_token"] == first


def test_a_refused_client_is_a_failure_for_a_person_without_the_secret(
    api: Client, page_id: str, authorization: Authorization
) -> None:
    authorization.flaw = "refuses"
    link = api.add_link(
        page_id, authorization.protect(customers("John")), options=authorization.options()
    )
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "oauth")
    assert "invalid_client" in run["error"]["message"]
    assert CLIENT_SECRET not in api.get(f"/dashboard/sync/runs/{run['run_id']}").text
    assert len(authorization.asked()) == 1, "asking again with what was refused helps nobody"


def test_a_refused_refresh_says_to_connect_again_and_keeps_serving(
    api: Client, page_id: str, authorization: Authorization
) -> None:
    authorization.refresh = "refresh-0"
    url = authorization.protect(customers("John Doe"))
    link = api.add_link(page_id, url, options=authorization.options(refresh_token="refresh-0"))
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    authorization.good, authorization.refresh = set(), "taken back"
    run = api.sync(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "oauth")
    assert "connect again" in run["error"]["action"]
    assert any("John Doe" in text for text in api.texts(page_id))


@pytest.mark.parametrize(("flaw", "kind"), [("down", "server_error"), ("html", "oauth")])
def test_a_token_server_that_answers_nonsense_fails_the_run(
    api: Client, page_id: str, authorization: Authorization, flaw: str, kind: str
) -> None:
    authorization.flaw = flaw
    link = api.add_link(
        page_id, authorization.protect(customers("John")), options=authorization.options()
    )
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", kind)


@pytest.mark.parametrize("name", ["token_url", "authorize_url"])
def test_an_address_inside_the_network_is_refused_as_it_is_entered(
    api: Client, page_id: str, authorization: Authorization, name: str
) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "x",
        "url": "https://crm.example.com/x",
        "options": authorization.options(**{name: "https://169.254.169.254/token"}),
    }
    answer = api.post("/dashboard/crm-links", body)
    assert answer.status_code == 422
    assert f"options.{name}" in answer.text


class TestConsent:
    """The authorization code flow, in the browser."""

    def link(self, api: Client, page_id: str, authorization: Authorization) -> dict[str, Any]:
        url = authorization.protect(customers("John Doe"))
        options = authorization.options(authorize_url=authorization.authorize_url)
        link = api.add_link(page_id, url, options=options)
        run = api.ended_run(link["link_id"])
        assert (run["state"], run["error"]["kind"]) == ("failed", "oauth")
        assert "press Connect" in run["error"]["action"]
        return link

    def begin(self, product: Product, session: requests.Session, link_id: str) -> dict[str, str]:
        answer = session.get(
            f"{product.address}/oauth/connect",
            params={"link_id": link_id},
            allow_redirects=False,
            timeout=30,
        )
        assert answer.status_code == 303, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def finish(self, product: Product, session: requests.Session, **said: str) -> requests.Response:
        return session.get(
            f"{product.address}/oauth/callback", params=said, allow_redirects=False, timeout=30
        )

    def test_a_person_consents_and_the_link_syncs_and_refreshes(
        self, product: Product, api: Client, page_id: str, authorization: Authorization
    ) -> None:
        link = self.link(api, page_id, authorization)
        session = browser_session(product)
        asked = self.begin(product, session, link["link_id"])
        assert asked["redirect_uri"] == f"{product.address}/oauth/callback"
        code = authorization.consent(asked)
        answer = self.finish(product, session, state=asked["state"], code=code)
        assert answer.headers["Location"] == f"/link_form?edit={link['link_id']}"
        assert api.ended_run(link["link_id"], 2)["state"] == "succeeded"
        authorization.good = set()
        assert api.sync(link["link_id"])["state"] in ("succeeded", "unchanged")
        assert authorization.asked()[-1]["grant_type"] == "refresh_token"

    def test_a_state_works_once_and_for_the_person_it_was_made_for(
        self, product: Product, api: Client, page_id: str, authorization: Authorization
    ) -> None:
        link = self.link(api, page_id, authorization)
        session = browser_session(product)
        asked = self.begin(product, session, link["link_id"])
        code = authorization.consent(asked)
        forged = self.finish(product, session, state="forged", code=code)
        assert forged.status_code == 502
        body = {"username": "other-operator", "password": PASSWORD, "role": "operator"}
        assert api.post("/accounts", body).status_code == 201
        other = requests.Session()
        other.trust_env = False
        form = {"username": "other-operator", "password": PASSWORD}
        other.post(f"{product.address}/login", data=form, timeout=30)
        assert self.finish(product, other, state=asked["state"], code=code).status_code == 502
        # Used up by the attempt.
        assert self.finish(product, session, state=asked["state"], code=code).status_code == 502
        assert authorization.asked() == []

    def test_nobody_begins_without_being_signed_in_and_no_viewer(
        self, product: Product, api: Client, page_id: str, authorization: Authorization
    ) -> None:
        link = self.link(api, page_id, authorization)
        stranger = requests.Session()
        stranger.trust_env = False
        url = f"{product.address}/oauth/connect?link_id={link['link_id']}"
        answer = stranger.get(url, allow_redirects=False, timeout=30)
        assert answer.headers["Location"].startswith("/login")
        body = {"username": "consent-viewer", "password": PASSWORD, "role": "viewer"}
        assert api.post("/accounts", body).status_code == 201
        form = {"username": "consent-viewer", "password": PASSWORD}
        stranger.post(f"{product.address}/login", data=form, timeout=30)
        assert stranger.get(url, allow_redirects=False, timeout=30).status_code == 403


def test_runs_that_need_a_token_at_once_wait_for_the_one_that_asks(
    api: Client, page_id: str, authorization: Authorization, crm: Crm, path: str
) -> None:
    give = threading.Event()
    answer = crm.answers[f"{path}/token"]

    def slowly(request: Any) -> Any:
        give.wait(20)
        return answer(request)

    crm.answers[f"{path}/token"] = slowly
    url = authorization.protect(customers("John Doe"))
    links = [
        api.add_link(page_id, f"{url}?of={number}", options=authorization.options())
        for number in range(3)
    ]
    until(lambda: authorization.asked(), "the first to ask")
    until(
        lambda: [api.runs(link["link_id"])[0]["state"] for link in links] == ["running"] * 3,
        "all to run",
    )
    give.set()
    assert {api.ended_run(link["link_id"])["state"] for link in links} == {"succeeded"}
    assert len(authorization.asked()) == 1
