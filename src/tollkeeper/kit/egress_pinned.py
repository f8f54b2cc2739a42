"""The door to addresses that a person named: no processor's, so the person's own register entry is made here.

The name is resolved once, every address must be one of the open internet, and the connection
goes to the very address that was looked at: a name that answers differently a moment later
(DNS rebinding) changes nothing. TLS is checked against the name. Redirects are not followed.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tollkeeper.core.egress import Processor, field_names
from tollkeeper.core.webhooks import Address, BadAddress, is_public, read_address
from tollkeeper.kit import egress, egress_guard

NAME = "customer"
"""How the log of disclosures calls a receiver that the person named."""
TIMEOUT_S = 10.0


class NoAnswer(Exception):
    """Nobody answered there; ``code`` is a word of ours."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Pinned(HTTPAdapter):
    """Connects to an address, and checks the certificate against the name."""

    def __init__(self, name: str, *, tls: bool) -> None:
        self._tls: dict[str, Any] = {"server_hostname": name, "assert_hostname": name} if tls else {}
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **{**kwargs, **self._tls})


def resolve(address: Address, *, local: bool = False) -> str:
    """One IP address of an endpoint. Raises ``BadAddress`` unless all of them are public."""
    try:
        with egress_guard.opened():
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswer("unknown_host") from error
    places = [str(row[4][0]) for row in found]
    if not local and not all(map(is_public, places)):
        raise BadAddress("private")
    return places[0]


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    purpose: str,
    categories: tuple[str, ...],
    local: bool = False,
    ca_file: str = "",
) -> int:
    """POST JSON to an address that its owner named; answers the status code, whatever it is.

    Raises ``core.webhooks.BadAddress``, :class:`NoAnswer` and ``kit.egress.Refused``.
    """
    address = read_address(url, local=local)
    place = resolve(address, local=local)
    fields = field_names("application/json", body)
    own = Processor(NAME, frozenset({address.place}), fields, categories, frozenset({purpose}))
    egress.pass_message(
        NAME,
        purpose,
        host=address.place,
        fields=fields,
        size=len(body),
        encrypted=address.scheme == "https",
        own=own,
    )
    client = requests.Session()
    client.trust_env = False
    client.mount("https://", _Pinned(address.host, tls=True))
    client.mount("http://", _Pinned(address.host, tls=False))
    at = f"[{place}]" if ":" in place else place
    try:
        with egress_guard.opened():
            answer = client.post(
                f"{address.scheme}://{at}:{address.port}{address.target}",
                data=body,
                headers={**headers, "Host": address.place, "Content-Type": "application/json"},
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
                verify=ca_file or True,
            )
            answer.close()  # what is answered beyond the status is nobody's business
    except requests.RequestException as error:
        raise NoAnswer(type(error).__name__) from error
    finally:
        client.close()
    return int(answer.status_code)
