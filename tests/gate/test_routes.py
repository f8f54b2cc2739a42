"""The first route that matches wins, and what could be read in two ways takes none."""

from __future__ import annotations

import pytest

from tollkeeper.core.terms import GateTerms, RouteTerms
from tollkeeper.gate.routes import BadRoute, Route, RouteTable

TABLE = RouteTable(
    GateTerms(
        shop="x",
        upstreams=(),
        routes=(
            RouteTerms("list", "/posts"),
            RouteTerms("make", "/posts", methods=("POST",)),
            RouteTerms("one", "/posts/{id}", methods=("GET", "DELETE")),
            RouteTerms("rest", "/files/{path...}"),
            RouteTerms("dotted", "/a.b"),
            RouteTerms("folder", "/folder/"),
            RouteTerms("far", "/caf%C3%A9/{x}"),
        ),
    )
)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        (b"GET", b"/posts", "list"),
        (b"HEAD", b"/posts", "list"),
        (b"POST", b"/posts", "make"),
        (b"DELETE", b"/posts/5", "one"),
        (b"GET", b"/files", "rest"),
        (b"GET", b"/files/a/b.txt", "rest"),
        (b"GET", b"/a.b", "dotted"),
        (b"GET", b"/%70osts", "list"),
        (b"GET", b"/posts/", "list"),
        (b"GET", b"/posts/%35", "one"),
        (b"GET", b"/posts/5/", "one"),
        (b"GET", b"/posts/%0a", "one"),
        (b"GET", b"/files/a%0Ab", "rest"),
        (b"GET", b"/folder/", "folder"),
        (b"GET", b"/caf%c3%a9/1", "far"),
    ],
)
def test_found(method: bytes, path: bytes, name: str) -> None:
    for _ in range(2):
        route = TABLE.find(method, path)
        assert isinstance(route, Route)
        assert route.name == name


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        (b"GET", b"/", "no_route"),
        (b"GET", b"/posts/5/6", "no_route"),
        (b"GET", b"/axb", "no_route"),
        (b"GET", b"/folder", "no_route"),
        (b"GET", b"/posts%3f", "no_route"),
        (b"PUT", b"/posts", "method_not_allowed"),
        (b"HEAD", b"/posts/5/../5", "ambiguous_path"),
        (b"GET", b"/posts/..", "ambiguous_path"),
        (b"GET", b"/posts//5", "ambiguous_path"),
        (b"GET", b"/posts/%2e%2e", "ambiguous_path"),
        (b"GET", b"/posts/a%2Fb", "ambiguous_path"),
        (b"GET", b"/posts/a%5cb", "ambiguous_path"),
        (b"GET", b"/posts/%00", "ambiguous_path"),
        (b"GET", b"/posts/%zz", "ambiguous_path"),
        (b"GET", b"/posts/%252e", "ambiguous_path"),
    ],
)
def test_not_found(method: bytes, path: bytes, why: str) -> None:
    assert TABLE.find(method, path) == why


def test_allow_lists_every_method_of_a_path() -> None:
    for path in (b"/posts", b"/posts/", b"/p%6Fsts"):
        assert TABLE.allowed(path) == (b"GET", b"HEAD", b"POST")
    assert TABLE.allowed(b"/nothing") == ()


@pytest.mark.parametrize(
    "route",
    [
        RouteTerms("x", "posts"),
        RouteTerms("x", "/a{b}"),
        RouteTerms("x", "/{a...}/b"),
        RouteTerms("x", "/x", meter="apples"),
    ],
)
def test_a_route_that_cannot_be_read_is_refused(route: RouteTerms) -> None:
    with pytest.raises(BadRoute, match="route 'x'"):
        RouteTable(GateTerms(shop="x", routes=(route,), upstreams=()))
