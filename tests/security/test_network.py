"""Addresses that must never be reached, in the spellings people and attackers use."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from core.connectors.http import GuardedSession
from core.errors import AddressRefused
from core.security.network import AddressGuard
from core.watch import Watch
from tests.servers.crm import Answer, Crm

REFUSED = [
    "http://crm.example.com/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://１２７.0.0.1/",
    "https://127.0.0.1./",
    "https://10.0.0.1/",
    "https://172.16.3.4/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://192.0.2.1/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fc00::1]/",
    "https://[ff02::1]/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://crm.local/",
    "https://metadata.google.internal/",
    "https://user@crm.example.com/",
    "https://crm.example.com:0x50/",
    "https:///customers",
    "https://crm.example.com\\@127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "https://crm example.com/",
    "https://crm.example.com/\r\nX: y",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_it_refuses(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        AddressGuard().check_url(url)
    assert refused.value.message
    assert refused.value.action


@pytest.mark.parametrize(
    "url", ["https://crm.example.com/", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/x?y=z"]
)
def test_it_lets_public_https_through(url: str) -> None:
    AddressGuard().check_url(url)


def test_an_allowed_host_may_be_private_and_plain_and_no_other_port_of_it() -> None:
    guard = AddressGuard(["127.0.0.1:8090", "crm.lan"])
    guard.check_url("http://127.0.0.1:8090/")
    guard.check_url("http://crm.lan:1234/")
    with pytest.raises(AddressRefused):
        guard.check_url("http://127.0.0.1:8091/")


def resolve_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254"])
def test_a_public_name_that_leads_inside_is_refused_at_the_connection(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(address, monkeypatch)
    watch = Watch(10)
    session = GuardedSession(AddressGuard(), watch)
    with pytest.raises(AddressRefused, match=address):
        session.send("GET", "https://crm.example.com/", {}, max_bytes=1000)
    watch.close()


def test_a_redirect_is_not_followed(crm: Crm) -> None:
    inside = crm.serve("/inside", Answer("secret", content_type="text/plain"))
    url = crm.serve("/redirect", Answer("", 302, {"Location": inside}))
    watch = Watch(10)
    session = GuardedSession(AddressGuard([crm.host]), watch)
    assert session.send("GET", url, {}, max_bytes=1000).status == 302
    assert crm.asked("/inside") == []
    watch.close()


def test_proxies_of_the_environment_are_not_used(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    url = crm.serve("/direct", Answer("here", content_type="text/plain"))
    watch = Watch(10)
    session = GuardedSession(AddressGuard([crm.host]), watch)
    assert session.send("GET", url, {}, max_bytes=1000).body == b"here"
    watch.close()
