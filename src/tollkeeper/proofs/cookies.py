"""Cookies: exactly those of the register, and pages that work without any."""

from __future__ import annotations

import re

from tollkeeper.proofs.context import Answer, Context
from tollkeeper.proofs.probe import Evidence, probe, require

PUBLIC = ("/", "/plans/", "/docs/", "/accounts/login/", "/accounts/signup/")
_STORES = re.compile(rb"\b(localStorage|sessionStorage|indexedDB|document\.cookie|sendBeacon)\b")
_ELSEWHERE = re.compile(
    rb"""<(?:script|img|iframe|link|video|audio|source)\b[^>]*?(?:src|href)=["']?(https?:)?//([^"'/ >]+)"""
)


def _visits(ctx: Context) -> dict[str, Answer]:
    return {path: ctx.get(path) for path in PUBLIC}


def _bare(name: str) -> str:
    """A cookie's name in the register: browsers' prefixes do not make another cookie."""
    return name.removeprefix("__Host-").removeprefix("__Secure-")


@probe("T-22", "G-31", "G-32")
def registered(ctx: Context) -> Evidence:
    """Pages set cookies of the register only, keep nothing else in the browser, load nothing elsewhere."""
    registry = ctx.policy.cookies.registry
    visits = _visits(ctx)
    down = {path: answer.status for path, answer in visits.items() if answer.status != 200}
    require(not down, "a public page does not answer", pages=down)
    seen = sorted({_bare(name) for answer in visits.values() for name in answer.cookies})
    strange = sorted(set(seen) - {name for name, one in registry.items() if one.storage == "cookie"})
    require(not strange, "a page sets a cookie that the register does not have", cookies=strange)
    optional = sorted(name for name in seen if registry[name].need == "optional")
    require(not optional, "an optional cookie is set without a choice", cookies=optional)
    inline = sorted(path for path, answer in visits.items() if _STORES.search(answer.body))
    require(not inline, "a page stores something by a script of its own", pages=inline)
    elsewhere = sorted(
        {
            match.group(2).decode()
            for answer in visits.values()
            for match in _ELSEWHERE.finditer(answer.body)
            if match.group(1) or match.group(2)
        }
        - {"127.0.0.1", "localhost", "testserver"}
    )
    elsewhere = [host for host in elsewhere if not host.startswith(("127.0.0.1:", "localhost:"))]
    require(not elsewhere, "a page loads from another site", hosts=elsewhere)
    return {
        "pages": {path: answer.status for path, answer in visits.items()},
        "cookies_seen": seen,
        "register": {name: one.need for name, one in registry.items()},
        "over_tcp": any(answer.live for answer in visits.values()),
    }


@probe("T-23", "G-34")
def controlled_in_the_browser(ctx: Context) -> Evidence:
    """Public pages answer to a browser that keeps no cookie."""
    visits = _visits(ctx)
    broken = {path: answer.status for path, answer in visits.items() if answer.status != 200}
    require(not broken, "a page does not answer without cookies", pages=broken)
    return {"pages_without_cookies": {path: len(answer.body) for path, answer in visits.items()}}


@probe("T-24")
def blocked(ctx: Context) -> Evidence:
    """What each blocked cookie costs is said; public pages need none."""
    registry = ctx.policy.cookies.registry
    silent = sorted(name for name, one in registry.items() if not one.without.en.strip())
    require(not silent, "the register does not say what a blocked cookie costs", cookies=silent)
    free = {path: ctx.get(path).status for path in ("/", "/plans/", "/docs/")}
    require(set(free.values()) == {200}, "a public page needs a cookie", pages=free)
    return {"effects": {name: one.without.en for name, one in registry.items()}, "public_pages": free}


@probe("G-33")
def session_cookie(ctx: Context) -> Evidence:
    """The attributes of the cookies that a form sets."""
    lines = ctx.get("/accounts/login/").cookies
    require(bool(lines), "the sign-in page sets no cookie")
    for name, line in lines.items():
        low = line.lower()
        require("samesite" in low, "a cookie has no SameSite", cookie=name)
        if ctx.live:
            require(name.startswith("__Host-") and "secure" in low, "a cookie is not bound to host and TLS")
    return {"attributes": lines, "live": ctx.live}


@probe("G-35")
def nothing_from_elsewhere(ctx: Context) -> Evidence:
    """Headers that keep pages to themselves."""
    headers = ctx.get("/").headers
    policy = headers.get("content-security-policy", "")
    require(
        "default-src 'self'" in policy or "default-src 'none'" in policy, "the content policy is not closed"
    )
    referrer = headers.get("referrer-policy", "")
    require(referrer in ("same-origin", "no-referrer", "strict-origin"), "addresses of pages may leak")
    return {"content-security-policy": policy, "referrer-policy": referrer}
