"""The form of Standard Webhooks, for what we tell and what we are told, and where it may go. Pure.

Source: https://github.com/standard-webhooks/standard-webhooks (spec 1.0.0), symmetric ``v1``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tollkeeper.core.cards import find_cards

PREFIX = "whsec_"
SECRET_BYTES = 32
WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds between two tries: the spec's own schedule, three and a half days in all."""

TOLERANCE_S = 300
"""How old a message to us may be, and how far ahead its clock."""

KINDS = ("order", "payment", "key", "quota", "customer")
"""Families of events; an endpoint takes those it names."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class BadSignature(ValueError):
    """A message is not by whom it says, or not of now; the text says which."""


class BadAddress(ValueError):
    """An endpoint cannot be there. ``code``: ``form``, ``scheme``, ``user``, ``host`` or ``private``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an endpoint's URL; ``target`` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> str:
        """Host and, where it is not the usual one, port: the ``Host`` header."""
        usual = {"https": 443, "http": 80}[self.scheme]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == usual else f"{host}:{self.port}"


def _has_card(url: str) -> bool:
    """Whether a card number stands in a URL; ids of other services have 17 digits and more."""
    return any(sum(map(str.isdigit, url[begin:end])) <= 16 for begin, end in find_cards(url))


def read_address(url: str, *, local: bool = False) -> Address:
    """The parts of a URL; ``local`` lets clear text and this machine pass. Raises :class:`BadAddress`."""
    if len(url) > 500 or any(char <= " " or char == "\x7f" for char in url) or _has_card(url):
        raise BadAddress("form")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("form") from None
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not local):
        raise BadAddress("scheme")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("user")
    host = (parts.hostname or "").rstrip(".")
    if not host or not host.isascii():
        raise BadAddress("host")
    if not local and (host == "localhost" or host.endswith((".localhost", ".local", ".internal"))):
        raise BadAddress("private")
    literal = _literal(host)
    if literal is not None and not local and not is_public(literal):
        raise BadAddress("private")
    query = f"?{parts.query}" if parts.query else ""
    return Address(
        parts.scheme, host, port or (443 if parts.scheme == "https" else 80), (parts.path or "/") + query
    )


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, however it is dressed up."""
    one = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(one, ipaddress.IPv6Address):
        if one.ipv4_mapped is not None:
            return is_public(str(one.ipv4_mapped))
        if one.sixtofour is not None or one.teredo is not None or one in _NAT64:
            return False
    return one.is_global and not one.is_multicast


def secret_text(secret: bytes) -> str:
    """A secret as it is shown: ``whsec_…``."""
    return PREFIX + base64.b64encode(secret).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` of a message: ``v1,<base 64>`` over id, time and body.

    A secret that does not begin ``whsec_`` is taken as it is.
    """
    key = base64.b64decode(secret[len(PREFIX) :]) if secret.startswith(PREFIX) else secret.encode()
    text = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_s: float) -> None:
    """Raises :class:`BadSignature` unless a message is signed with this secret, now. Names are lower case."""
    stamp = headers.get("webhook-timestamp", "")
    if not secret or not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 12:
        raise BadSignature("the message is not signed")
    if abs(now_s - int(stamp)) > TOLERANCE_S:
        raise BadSignature("the message was signed more than five minutes ago, or for later")
    wanted = sign(secret, headers.get("webhook-id", ""), int(stamp), body).encode()
    given = headers.get("webhook-signature", "").encode().split()
    if not any(hmac.compare_digest(wanted, one) for one in given):
        raise BadSignature("the signature does not hold")


def wait_s(tries: int) -> int | None:
    """Seconds until the next try after so many failed ones; None: no more."""
    return WAITS_S[tries - 1] if 1 <= tries <= len(WAITS_S) else None
