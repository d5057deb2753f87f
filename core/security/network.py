"""Which addresses may be fetched.

A URL is checked twice: when a link is saved (its spelling, so that a person hears at once), and
at each connection (the addresses its name resolves to, and then exactly those are connected to, so
that a name which answers differently the second time gains nothing).
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.errors import AddressRefused

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that ``is_global`` of Python 3.11 lets through though nothing public lives there
# (https://github.com/python/cpython/issues/113171), and 6to4 and NAT64, which carry an IPv4
# address that only the gateway sees.
_REFUSED_RANGES = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2001:20::/28",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
    )
)
_PRIVATE_NAMES = re.compile(r"(^|\.)(localhost|local|internal|intranet|lan|home\.arpa)$")

_NOT_ALLOWED = (
    "Use a public https address, or have an administrator add the host to CRM_ALLOWED_HOSTS."
)


@dataclass(frozen=True)
class Target:
    """Where a URL leads: ``https`` or ``http``, host in lower case, port."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """``host:port``, the way limiters and allow lists name it."""
        return f"{self.host}:{self.port}"


class AddressGuard:
    """Decides on URLs and addresses; ``allowed_hosts`` may be private or plain http."""

    def __init__(self, allowed_hosts: Iterable[str] = ()) -> None:
        self._allowed = frozenset(host.lower().rstrip(".") for host in allowed_hosts)

    def is_allowed_host(self, target: Target) -> bool:
        """Whether the settings name this host, with or without its port."""
        return target.host in self._allowed or target.origin in self._allowed

    def check_url(self, url: str) -> Target:
        """The target of ``url``. Raises AddressRefused when it may not be fetched as spelled."""
        target = parse_target(url)
        if self.is_allowed_host(target):
            return target
        if target.scheme != "https":
            raise AddressRefused(
                f"{target.host} is addressed with plain http, which shows the key to anyone "
                "on the way.",
                action=_NOT_ALLOWED,
            )
        if _PRIVATE_NAMES.search(target.host):
            raise AddressRefused(f"{target.host} is a private name.", action=_NOT_ALLOWED)
        literal = _literal_address(target.host)
        if literal is not None and not is_public(literal):
            raise AddressRefused(f"{target.host} is a private address.", action=_NOT_ALLOWED)
        return target

    def check_name(self, url: str) -> None:
        """Raise AddressRefused when the name leads to a private address today.

        A courtesy to the person who types it: what counts is the check at each connection. A name
        that can't be resolved now passes.
        """
        target = parse_target(url)
        if self.is_allowed_host(target):
            return
        try:
            addresses = resolve(target, timeout=3.0)
        except (OSError, TimeoutError):
            return
        for address in addresses:
            self.check_address(target, address)

    def check_address(self, target: Target, address: str) -> None:
        """Raise AddressRefused unless ``address``, resolved from ``target``, may be connected."""
        if self.is_allowed_host(target):
            return
        # A scope id (fe80::1%eth0) only ever belongs to a link-local address.
        if not is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise AddressRefused(
                f"{target.host} resolves to {address}, a private address.", action=_NOT_ALLOWED
            )


def parse_target(url: str) -> Target:
    """Scheme, host and port of ``url``. Raises AddressRefused when it isn't a plain web address."""
    example = "Write it like https://crm.example.com/api/customers."
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise AddressRefused("The address has a space or control character in it.", action=example)
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        raise AddressRefused("That is not a web address.", action=example) from None
    if parts.scheme.lower() not in ("http", "https") or not host or "\\" in parts.netloc:
        raise AddressRefused("That is not a web address.", action=example)
    if "@" in parts.netloc:
        raise AddressRefused(
            "The address carries a user name or password.",
            action="Put the credential into the API key or a header, where it is kept encrypted.",
        )
    scheme = parts.scheme.lower()
    try:
        # Full-width digits and letters become plain ones here, as they would in the resolver.
        ascii_host = host if ":" in host else host.encode("idna").decode().lower()
    except UnicodeError:
        raise AddressRefused(f"{host} is not a host name.", action=example) from None
    return Target(scheme, ascii_host, port or (443 if scheme == "https" else 80))


def resolve(target: Target, *, timeout: float) -> list[str]:
    """The addresses of the target's host. Raises TimeoutError, or OSError when there are none."""
    answer: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            answer.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answer.put(error if isinstance(error, OSError) else OSError(str(error)))

    # The system's resolver knows no time limit: the thread is left behind when it takes too long.
    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        result = answer.get(timeout=max(0.0, timeout))
    except queue.Empty:
        raise TimeoutError(f"{target.host} could not be resolved in time") from None
    if isinstance(result, OSError):
        raise result
    return result


def is_public(address: IPAddress) -> bool:
    """Whether ``address`` is a public unicast address, also when wrapped in an IPv6 one."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(
        address in network for network in _REFUSED_RANGES if network.version == address.version
    )


def _literal_address(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # inet_aton reads what resolvers read: 2130706433, 0x7f000001, 0177.0.0.1, 127.1
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
