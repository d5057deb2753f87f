"""A secret is planted in every place that takes one, then searched for everywhere."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.window import WIDTHS, sign_in
from tests.product import PASSWORD, Product
from tests.servers.crm import Answer, Crm, Request, customers
from tests.servers.graph import Facebook
from tests.waiting import until

CANARY = "c4nary"


def canary(place: str) -> str:
    """A secret that says where it was planted."""
    return f"{CANARY}-{place}-7f3a9c1e5b2d4860"


def test_no_planted_secret_is_found_anywhere(
    chromium: Browser, tmp_path: Path, crm: Crm, path: str
) -> None:
    def echo(request: Request) -> Answer:
        # A CRM that sends back what it was sent, as some do when something is wrong.
        return Answer(f"wrong key: {dict(request.headers)} {request.query}", 401)

    def refuse(request: Request) -> Answer:
        said = f"wrong token: {dict(request.headers)} {request.query}"
        return Answer({"error": {"message": said, "code": 100}}, 400)

    own = Product(
        tmp_path,
        {
            "CRM_ALLOWED_HOSTS": crm.hosts,
            "SECRET_KEY": canary("secret-key"),
            "ALERT_WEBHOOK_URL": f"http://{crm.host}{path}/alerts",
            "ALERT_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "SYNC_FAILURES_BEFORE_ALERT": "1",
            "LOG_FORMAT": "json",
            "LLM_BASE_URL": f"http://{crm.host}{path}/llm",
            "LLM_API_KEY": canary("llm"),
            "LLM_MODEL": "x",
            "FACEBOOK_APP_SECRET": canary("app"),
            "FACEBOOK_VERIFY_TOKEN": canary("verify"),
            "GRAPH_API_URL": f"http://{crm.host}{path}/graph",
        },
    )
    secrets = {
        "api_key": canary("api-key"),
        "headers": {"X-Api-Key": canary("header"), "X-Odd": canary("odd-header")},
        "params": {"token": canary("param")},
    }
    good, bad = crm.serve(path, customers("John")), crm.serve(f"{path}/bad", echo)
    answers: list[str] = []
    try:
        own.start_all()
        api = own.sign_in()
        page_id = api.add_page()
        for url in (good, bad):
            link = api.add_link(page_id, url, **secrets)
            api.ended_run(link["link_id"])
            link_id = link["link_id"]
            tried = {
                "page_id": page_id,
                "channels": ["messenger"],
                "name": "Tried",
                "url": url,
                **secrets,
            }
            answers.append(api.post("/dashboard/crm-links/test", tried).text)
            edited = tried | {"revision": 0, "api_key": canary("edited-key"), "name": "Edited"}
            answers.append(api.put(f"/dashboard/crm-links/{link_id}", edited).text)
            # Wrong requests: the answers say what is wrong, not what was sent.
            answers.append(api.post("/dashboard/crm-links", tried | {"api_key": [1]}).text)
            answers.append(
                api.post("/dashboard/crm-links", tried | {"headers": {"a b": canary("bad")}}).text
            )
        options = {"auth": "oauth2", "token_url": bad, "client_id": "x"}
        options |= {"client_secret": canary("client"), "refresh_token": canary("refresh")}
        oauth = api.add_link(page_id, f"{good}?oauth", options=options)
        api.ended_run(oauth["link_id"])
        hook = {"scheme": "secret", "secret": canary("hook"), "previous_secret": canary("old-hook")}
        hooked = api.add_link(page_id, "https://a.example", type="webhook", options=hook)
        address = f"/webhooks/crm/{hooked['link_id']}"
        api.session.headers["X-Webhook-Secret"] = canary("hook")
        assert api.post(address, {"id": 1, "password": canary("event")}).status_code == 202
        assert api.post(address, {"id": 2}).status_code == 202
        del api.session.headers["X-Webhook-Secret"]
        csv = f"id,password\n1,{canary('upload')}\n".encode()
        upload = api.session.post(
            f"{api.address}/dashboard/uploads", files={"file": ("x.csv", csv)}, timeout=30
        ).json()["upload"]
        options = {"upload_id": upload["upload_id"]}
        filed = api.add_link(page_id, upload["url"], type="file", options=options)
        assert api.ended_run(filed["link_id"])["state"] == "succeeded"
        database = api.add_link(
            page_id,
            f"postgresql://reader@{crm.host}/shop",
            type="database",
            api_key=canary("database"),
            options={"query": "SELECT 1"},
        )
        api.ended_run(database["link_id"], seconds=60)
        token = {"mode": "send", "token": canary("page"), "reveals": "any"}
        answers.append(api.put(f"/dashboard/pages/{page_id}/bot", token).text)
        crm.serve(f"{path}/llm/chat/completions", echo)
        crm.serve(f"{path}/graph/{page_id}/messages", refuse)
        facebook = Facebook(crm, own.address, canary("app"), page_id)
        assert facebook.write("What is the e-mail address of John?").json() == {"accepted": 1}

        def refused() -> bool:
            sent = api.get("/dashboard/messages", page_id=page_id)
            answers.append(sent.text)
            return [one["state"] for one in sent.json()["messages"]] == ["failed"]

        until(refused, "the answer to be refused", seconds=60)
        asked = {"page_id": page_id, "channel": "messenger", "message": "Who is John?"}
        answers.append(api.post("/dashboard/rag/reply", asked).text)
        query = {"hub.mode": "subscribe", "hub.verify_token": canary("wrong")}
        answers.append(api.get("/webhooks/facebook", **query).text)
        answers.append(api.post("/auth/login", {"username": "x", "password": canary("pw")}).text)
        account = {"username": "olga", "password": canary("account"), "role": "viewer"}
        answers.append(api.post("/accounts", account).text)
        own.sign_in("olga", canary("account"))
        assert own.run("secrets", "rotate").returncode == 0
        for call in (
            "/dashboard/crm-links/all",
            "/dashboard/sync/runs",
            "/dashboard/overview",
            "/configuration",
            "/accounts",
            "/tokens",
            "/audit",
            "/metrics",
            "/health",
            "/openapi.json",
        ):
            answers += [api.get(call).text]
        runs = api.get("/dashboard/sync/runs").json()["runs"]
        answers += [api.get(f"/dashboard/sync/runs/{run['run_id']}").text for run in runs]
        context = chromium.new_context(base_url=own.address, viewport=WIDTHS["desk"])
        tab = context.new_page()
        sign_in(tab)
        for screen in (
            "/",
            "/conversations",
            "/settings?section=bot",
            "/links",
            f"/link_form?edit={link_id}",
            "/logs",
            "/settings",
        ):
            tab.goto(screen)
            tab.get_by_role("heading", level=1).wait_for()
            answers.append(tab.content())
        context.close()
    finally:
        own.stop()
    # The CRM got them: so they were really in use.
    assert crm.asked(path)[0].headers["Authorization"] == f"Bearer {canary('api-key')}"
    assert crm.asked(path)[0].query["token"] == canary("param")
    assert crm.asked(f"{path}/llm/chat/completions")
    sent = crm.asked(f"{path}/graph/{page_id}/messages")[0]
    assert sent.headers["Authorization"] == f"Bearer {canary('page')}"
    assert [text for text in answers if CANARY in text] == []
    logs = [own.log(name) for name in ("web", "scheduler")]
    assert [text for text in logs if CANARY in text or PASSWORD in text] == []
    files = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    found = [str(file) for file in files if CANARY.encode() in file.read_bytes()]
    assert found == []
    told = [request.body for request in crm.asked(f"{path}/alerts")]
    assert [body for body in told if CANARY.encode() in body] == []
