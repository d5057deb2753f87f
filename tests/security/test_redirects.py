"""Redirects: off by default; checked hop by hop; no key to another host."""

from __future__ import annotations

from typing import Any

import pytest

from core.models import FetchOptions
from tests.servers.crm import Answer, Crm, customers
from tests.sync.inside import Inside

FOLLOW = FetchOptions(follow_redirects=True)


def run(inside: Inside) -> dict[str, Any]:
    inside.desk.scheduler().run_once()
    runs = inside.desk.runs.find("company-001")
    return dict(runs[0])


def leading_to(location: str, status: int = 302) -> Answer:
    return Answer("", status, {"Location": location})


def test_without_being_told_to_none_is_followed(inside: Inside, crm: Crm, path: str) -> None:
    crm.serve(f"{path}/end", customers("John"))
    inside.add_link(crm.serve(path, leading_to(f"{path}/end")))
    assert run(inside)["state"] == "failed"
    assert crm.asked(f"{path}/end") == []


def test_one_on_the_same_host_is_followed_with_the_key(inside: Inside, crm: Crm, path: str) -> None:
    crm.serve(f"{path}/end", customers("John"))
    inside.add_link(crm.serve(path, leading_to(f"{path}/end")), api_key="secret-1", fetch=FOLLOW)
    assert run(inside)["state"] == "succeeded"
    assert crm.asked(f"{path}/end")[0].headers["Authorization"] == "Bearer secret-1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_host_gets_neither_the_key_nor_a_header_of_the_link(
    inside: Inside, crm: Crm, path: str, status: int
) -> None:
    elsewhere = crm.own_host()
    crm.serve(f"{path}/end", customers("John"))
    url = crm.serve(path, leading_to(f"http://{elsewhere}{path}/end", status))
    headers = {"X-Api-Key": "secret-2", "X-Odd-Name": "secret-3", "Cookie": "a=secret-4"}
    inside.add_link(url, api_key="secret-1", headers=headers, fetch=FOLLOW)
    assert run(inside)["state"] == "succeeded"
    sent = crm.asked(f"{path}/end")[0].headers
    assert "secret" not in str(sent)
    assert set(sent) <= {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}


def test_a_body_does_not_go_to_another_host(inside: Inside, crm: Crm, path: str) -> None:
    url = crm.serve(path, leading_to(f"http://{crm.own_host()}{path}/end", 307))
    options = FetchOptions(method="POST", body='{"token": "secret-5"}', follow_redirects=True)
    inside.add_link(url, fetch=options)
    assert run(inside)["state"] == "failed"
    assert crm.asked(f"{path}/end") == []


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://2130706433:1/",
        "https://localhost/",
        "file:///etc/passwd",
        "http://127.0.0.1:1/",
        "//10.0.0.1/",
    ],
)
def test_each_hop_is_checked_like_the_address_itself(
    inside: Inside, crm: Crm, path: str, location: str
) -> None:
    crm.serve(f"{path}/second", leading_to(location))
    inside.add_link(crm.serve(path, leading_to(f"{path}/second")), fetch=FOLLOW)
    ended = run(inside)
    assert ended["state"] == "failed"
    assert ended["error"]["kind"] == "address"


def test_a_circle_comes_to_an_end(inside: Inside, crm: Crm, path: str) -> None:
    inside.add_link(crm.serve(path, leading_to(path)), fetch=FOLLOW)
    ended = run(inside)
    assert ended["state"] == "failed"
    assert "redirects more than 5 times" in ended["error"]["message"]
    assert len(crm.asked(path)) == 6
