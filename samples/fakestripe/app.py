"""The stand-in as a web server: API, hosted pages, knobs. On the loopback only."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import hmac
import http.client
import logging
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from samples.fakestripe import pages
from samples.fakestripe.bank import CARDS, NotOpen
from samples.fakestripe.courier import Courier
from samples.fakestripe.engine import Engine, Lost
from samples.fakestripe.store import Row, Store

log = logging.getLogger("fakestripe")
MAX_BODY = 1_000_000
TICK_S = 0.1
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def poster(url: str) -> Callable[[bytes, str], int]:
    """A function that posts an event to ``url`` and answers the status; 599 if nobody answers."""
    where = urlsplit(url)

    def post(body: bytes, signature: str) -> int:
        kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
        line = kind(where.netloc, timeout=10)
        try:
            headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
            line.request("POST", where.path or "/", body, headers)
            return line.getresponse().status
        except (OSError, http.client.HTTPException):
            return 599
        finally:
            line.close()

    return post


def build(base: str, webhook: str, secret: str, home: Path | None = None) -> Site:
    """A site; ``home`` is where its state lives between two starts."""
    store = Store(home / "fakestripe.sqlite3" if home else None)
    courier = Courier(store, secret, poster(webhook) if webhook else None)
    engine = Engine(store, base, courier)
    if webhook:
        engine.listen(webhook)
    return Site(engine, secret)


class Site:
    """Routes over one engine."""

    def __init__(self, engine: Engine, secret: str) -> None:
        self.engine, self._secret = engine, secret

    def app(self) -> Starlette:
        """The ASGI application; :meth:`work` has to run beside it."""
        return Starlette(
            routes=[
                Route("/v1/{rest:path}", self.api, methods=["GET", "POST", "DELETE"]),
                Route("/c/pay/{name}", self.checkout, methods=["GET"]),
                Route("/c/pay/{name}", self.pay, methods=["POST"]),
                Route("/c/pay/{name}/second-step", self.second_step, methods=["POST"]),
                Route("/i/{name}", self.bill, methods=["GET", "POST"]),
                Route("/p/session/{name}", self.portal, methods=["GET"]),
                Route("/p/session/{name}", self.portal_act, methods=["POST"]),
                Route("/fake/knobs", self.knobs, methods=["GET", "POST"]),
                Route("/fake/clock", self.clock, methods=["POST"]),
                Route("/fake/acts", self.act, methods=["POST"]),
                Route("/health", self.health, methods=["GET"]),
                Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
            ],
        )

    async def work(self) -> None:
        """Deliver events and do what is due, until cancelled."""
        while True:
            try:
                await run_in_threadpool(self.engine.bank.tick)
                await run_in_threadpool(self.engine.courier.deliver)
            except Exception:
                log.exception("the courier stumbled")
            await asyncio.sleep(TICK_S)

    # ---- the API

    async def api(self, request: Request) -> Response:
        """Anything under /v1."""
        body = await request.body()
        if len(body) > MAX_BODY:
            return JSONResponse({"error": {"type": "invalid_request_error", "message": "too large"}}, 413)
        try:
            status, text, headers = await run_in_threadpool(
                self.engine.serve,
                request.method,
                str(request.url),
                dict(request.headers),
                body.decode("utf-8", "replace"),
            )
        except Lost:
            return Response(status_code=502)
        return Response(text, status, headers)

    # ---- the hosted pages

    def _token(self, name: str) -> str:
        return hmac.new(self._secret.encode(), b"form " + name.encode(), hashlib.sha256).hexdigest()[:32]

    async def _form(self, request: Request) -> dict[str, str]:
        body = (await request.body())[:8192].decode("utf-8", "replace")
        fields = {key: values[-1] for key, values in parse_qs(body).items()}
        given = fields.pop("token", "")
        return (
            fields
            if hmac.compare_digest(given.encode(), self._token(request.path_params["name"]).encode())
            else {}
        )

    def _session(self, request: Request) -> Row | None:
        row = self.engine.store.get("session", request.path_params["name"])
        return row if row and row["status"] == "open" else None

    def _over(self, request: Request) -> Response:
        row = self.engine.store.get("session", request.path_params["name"])
        return HTMLResponse(pages.over(row), 410 if row else 404, HEADERS)

    async def checkout(self, request: Request) -> Response:
        """GET the page."""
        session = self._session(request)
        if session is None:
            return self._over(request)
        return HTMLResponse(self._page(session), headers=HEADERS)

    async def pay(self, request: Request) -> Response:
        """POST the form. The number decides what happens and is not kept."""
        session = self._session(request)
        if session is None:
            return self._over(request)
        form = await self._form(request)
        free = session["payment_method_collection"] == "if_required" and self._trial(session)
        outcome, problem = ("none", "") if free and form else _outcome(form)
        if problem:
            return self._again(session, problem)
        if outcome in ("3ds", "3ds_always"):
            self.engine.store.put("second", session["id"], {"outcome": outcome})
            return HTMLResponse(pages.second_step(session, self._token(session["id"])), headers=HEADERS)
        return await self._pay(session, outcome)

    async def second_step(self, request: Request) -> Response:
        """POST the answer to the bank."""
        session = self._session(request)
        if session is None:
            return self._over(request)
        form = await self._form(request)
        if form.get("answer") != "yes":
            return self._again(session, "not_authenticated")
        asked = (self.engine.store.get("second", session["id"]) or {}).get("outcome")
        return await self._pay(session, asked if asked == "3ds_always" else "ok")

    async def bill(self, request: Request) -> Response:
        """GET shows an invoice, POST pays it."""
        row = self.engine.store.get("invoice", request.path_params["name"])
        if row is None or row["status"] != "open":
            return HTMLResponse(pages.over(None), 410 if row else 404, HEADERS)
        problem = ""
        if request.method == "POST":
            outcome, problem = _outcome(await self._form(request))
            if not problem:
                paid = await run_in_threadpool(self.engine.bank.pay_bill, row["id"], outcome)
                if paid:
                    return HTMLResponse(pages.page("Paid", '<main class="note"><h2>Paid.</h2></main>'))
                problem = "generic_decline"
        text = pages.bill(row, problem, self._token(row["id"]))
        return HTMLResponse(text, 402 if problem else 200, HEADERS)

    def _again(self, session: Row, problem: str) -> Response:
        return HTMLResponse(self._page(session, problem), 402, HEADERS)

    def _trial(self, session: Row) -> int:
        return int((self.engine.store.get("hidden", session["id"]) or {}).get("trial_days", 0))

    def _page(self, session: Row, problem: str = "") -> str:
        return pages.checkout(session, problem, self._token(session["id"]), self._trial(session))

    async def _pay(self, session: Row, outcome: str) -> Response:
        try:
            result = await run_in_threadpool(self.engine.bank.pay, session["id"], outcome)
        except NotOpen:
            return HTMLResponse(pages.over(session), 410, HEADERS)
        if result not in ("paid", "processing"):
            return self._again(session, result)
        target = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
        return RedirectResponse(target, 303, HEADERS)

    async def portal(self, request: Request) -> Response:
        """GET the customer portal."""
        row = self.engine.store.get("portal", request.path_params["name"])
        if row is None:
            return HTMLResponse(pages.over(None), 404, HEADERS)
        subs = [s for s in self.engine.store.all("subscription") if s["customer"] == row["customer"]]
        live = [s for s in subs if s["status"] != "canceled"]
        return HTMLResponse(pages.portal(row, live, self._token(row["id"])), headers=HEADERS)

    async def portal_act(self, request: Request) -> Response:
        """POST a change in the portal."""
        form, name = await self._form(request), request.path_params["name"]
        row = self.engine.store.get("portal", name)
        sub = self.engine.store.get("subscription", form.get("subscription", ""))
        if row is None or sub is None or sub["customer"] != row["customer"]:
            return HTMLResponse(pages.over(None), 404, HEADERS)
        await run_in_threadpool(self._portal_act, sub, form.get("act", ""))
        return RedirectResponse(f"/p/session/{name}", 303, HEADERS)

    def _portal_act(self, sub: Row, act: str) -> None:
        if act in ("card_good", "card_bad"):
            self.engine.bank.use_card(sub["id"], "ok" if act == "card_good" else "declines_later")
        elif act in ("cancel", "resume"):
            self.engine.change_subscription({"cancel_at_period_end": act == "cancel"}, sub["id"])

    # ---- what the real one does not have

    async def knobs(self, request: Request) -> Response:
        """GET or POST what goes wrong on the way: ``{"duplicate": 0.5, "drop": 0.05, …}``."""
        if request.method == "POST":
            try:
                self.engine.courier.knobs.set(await request.json())
            except (ValueError, AttributeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self.engine.courier.knobs.show())

    async def clock(self, request: Request) -> Response:
        """POST ``{"advance_s": 86400}``: time passes, and all that is due happens."""
        try:
            seconds = int((await request.json())["advance_s"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "advance_s is a number of seconds"}, 400)
        if not 0 <= seconds <= 3 * 366 * 86_400:
            return JSONResponse({"error": "advance_s is 0 to three years"}, 400)
        await run_in_threadpool(self.engine.bank.advance, seconds)
        return JSONResponse({"now": self.engine.bank.now()})

    async def act(self, request: Request) -> Response:
        """POST what a bank may do: ``{"act": "dispute", "charge": …}``, ``decide`` or ``refund``."""
        try:
            wanted = await request.json()
            row = await run_in_threadpool(self._act, wanted)
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            return JSONResponse({"error": f"cannot: {error}"}, 400)
        return JSONResponse(row)

    def _act(self, wanted: Row) -> Row:
        if wanted["act"] == "dispute":
            charge = (
                wanted.get("charge")
                or self.engine.bank.row("intent", wanted["payment_intent"])["latest_charge"]
            )
            return self.engine.bank.dispute(charge, wanted.get("reason", "fraudulent"))
        if wanted["act"] == "decide" and wanted["status"] in ("won", "lost", "under_review"):
            return self.engine.bank.decide(wanted["dispute"], wanted["status"])
        if wanted["act"] == "refund":
            return self.engine.bank.refund({k: v for k, v in wanted.items() if k != "act"})
        raise ValueError("act is dispute, decide or refund")

    async def health(self, request: Request) -> Response:
        """GET: alive, and how many events wait for delivery."""
        return JSONResponse({"ok": True, "waiting": len(self.engine.courier.waiting())})


def _outcome(form: dict[str, str]) -> tuple[str, str]:
    """(outcome, problem) of a filled form."""
    if form.get("method") == "debit":
        return "debit", ""
    outcome = CARDS.get(re.sub(r"\D", "", form.get("number", "")))
    if outcome is None:
        return "", "not_a_test_card"
    month, _, year = form.get("expiry", "12/34").replace(" ", "").partition("/")
    if not (month.isdigit() and year.isdigit() and 1 <= int(month) <= 12):
        return "", "bad_date"
    today = dt.datetime.now(dt.UTC)
    full = int(year) + (2000 if int(year) < 100 else 0)
    return (outcome, "") if (full, int(month)) >= (today.year, today.month) else ("", "bad_date")
