"""The way to an address that somebody named: the address that was looked at, the name that was meant."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.tls import Authority, tls_server
from tollkeeper.core.webhooks import BadAddress, is_public
from tollkeeper.kit import egress_pinned
from tollkeeper.kit.egress_pinned import NoAnswer

pytestmark = pytest.mark.django_db
HOST = "hook.example.com"
Names = Callable[..., list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """``names("1.2.3.4", …)`` is what HOST resolves to; later calls take the next list, the last stays."""
    real, asked = socket.getaddrinfo, []
    answers: list[tuple[str, ...]] = []

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != HOST:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in found
        ]

    def given(*first: str, then: tuple[str, ...] = ()) -> list[str]:
        answers[:] = [first, *([then] if then else [])]
        return asked

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return given


@pytest.fixture
def near_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """127.0.0.1 counts as an address of the open internet; 127.0.0.2 goes on being private."""
    monkeypatch.setattr(egress_pinned, "is_public", lambda one: one == "127.0.0.1" or is_public(one))


def post(port: int, ca: Path | None, **more: Any) -> int:
    file = str(ca) if ca else ""
    return egress_pinned.post(
        f"https://{HOST}:{port}/in?a=1",
        b"{}",
        {"X": "y"},
        purpose="order",
        categories=(),
        ca_file=file,
        **more,
    )


@pytest.mark.usefixtures("near_is_far")
def test_the_certificate_is_checked_against_the_name_not_the_address(tmp_path: Path, names: Names) -> None:
    names("127.0.0.1")
    authority = Authority(tmp_path)
    with tls_server(authority.vouch(HOST)) as server:
        assert post(server.server_port, authority.file) == 204
        ((headers, body),) = server.seen
        assert (headers["Host"], headers["X"], body) == (f"{HOST}:{server.server_port}", "y", b"{}")
        assert server.asked == [HOST]


@pytest.mark.usefixtures("near_is_far")
@pytest.mark.parametrize("named", ["other.example.com", "127.0.0.1"])
def test_a_certificate_of_another_name_or_of_the_address_is_refused(
    tmp_path: Path, names: Names, named: str
) -> None:
    names("127.0.0.1")
    authority = Authority(tmp_path)
    with tls_server(authority.vouch(named)) as server:
        with pytest.raises(NoAnswer) as no:
            post(server.server_port, authority.file)
        assert no.value.code == "SSLError"
        assert server.seen == []


@pytest.mark.usefixtures("near_is_far")
def test_an_authority_that_nobody_knows_is_refused(tmp_path: Path, names: Names) -> None:
    names("127.0.0.1")
    stranger, known = Authority(tmp_path, "stranger"), Authority(tmp_path, "known")
    with tls_server(stranger.vouch(HOST)) as server:
        for trusted in (known.file, None):
            with pytest.raises(NoAnswer) as no:
                post(server.server_port, trusted)
            assert no.value.code == "SSLError"
        assert server.seen == []


@pytest.mark.usefixtures("near_is_far")
def test_a_name_that_answers_differently_a_moment_later_changes_nothing(tmp_path: Path, names: Names) -> None:
    """DNS rebinding: first a public address, then one of the house, where a server waits at the same port."""
    asked = names("127.0.0.1", then=("127.0.0.2",))
    authority = Authority(tmp_path)
    with tls_server(authority.vouch(HOST)) as public:
        port = public.server_port
        with tls_server(authority.vouch(HOST), "127.0.0.2", port) as inner:
            assert post(port, authority.file) == 204
            assert asked == [HOST]
            assert (len(public.seen), len(inner.seen)) == (1, 0)
            with pytest.raises(BadAddress) as no:
                post(port, authority.file)
            assert no.value.code == "private"
            assert inner.seen == []


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_a_name_with_a_private_address_is_never_connected_to(
    tmp_path: Path, names: Names, place: str
) -> None:
    authority = Authority(tmp_path)
    with tls_server(authority.vouch(HOST)) as server:
        for found in ((place,), ("93.184.216.34", place)):  # one public address beside it does not help
            names(*found)
            with pytest.raises(BadAddress) as no:
                post(server.server_port, authority.file)
            assert no.value.code == "private"
        assert server.seen == server.asked == []


def test_a_literal_address_of_the_house_is_refused_before_anything_is_looked_up(names: Names) -> None:
    asked = names("127.0.0.1")
    for literal in ("127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "localhost", "x.internal"):
        with pytest.raises(BadAddress):
            egress_pinned.post(f"https://{literal}/", b"{}", {}, purpose="order", categories=())
    assert asked == []
