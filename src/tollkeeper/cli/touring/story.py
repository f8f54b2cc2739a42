"""The story of a customer, step by step. A step says what it saw, or raises :class:`Stuck`."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tollkeeper.cli.touring.browser import PATIENCE_S, Broken, Browser, Page, Stuck, patiently
from tollkeeper.cli.touring.caller import Caller, mistakes_of_refusal
from tollkeeper.cli.touring.mailbox import Mailbox

_CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "code": "123"}
_ORDER = re.compile(r"/checkout/([^/]+)/")
_USED = re.compile(r"([\d,.]+) calls? and ([\d,.]+) charged units?")
_LEFT = re.compile(r"([\d,.]+) of ([\d,.]+) left")


@dataclass(slots=True)
class Story:
    """A stranger who buys and calls. ``figures`` fill as the story goes."""

    site: str
    gate: str
    checkout: str
    mail_folder: Path
    seed: int
    began: float = field(default_factory=time.monotonic)
    figures: dict[str, Any] = field(default_factory=dict)
    email: str = ""
    plan: str = ""
    order: str = ""
    key: str = ""
    caller: Caller | None = None
    _browser: Browser = field(init=False)
    _mailbox: Mailbox = field(init=False)
    _password: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    _page: Page | None = None
    _example: str = ""
    _wait_s: int = 1
    relay_base: str = ""
    """Where the key that was shown last works, if not at our gate."""

    @property
    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Names and deeds, in order."""
        return [
            ("register", self.register),
            ("confirm the address", self.confirm),
            ("choose a plan", self.choose),
            ("pay with a test card", self.pay),
            ("wait for the delivery", self.wait_for_delivery),
            ("take the key", self.take_key),
            ("make the first call", self.first_call),
            ("see it in the console", self.see_usage),
            ("run into the limit", self.hit_limit),
            ("go on after the wait", self.go_on),
            ("compare calls and charges", self.compare),
            ("get the receipt", self.receipt),
        ]

    def register(self) -> str:
        """An account with an address nobody had before; one more address if the site broke off."""
        for attempt in range(6):
            self.email = f"ada-{self.seed:08x}{f'-{attempt}' if attempt else ''}@example.org"
            self.figures["email"] = self.email
            self._browser = Browser(self.site)
            self._mailbox = Mailbox(self.mail_folder, self.email)
            page = self._browser.get("/accounts/signup/")
            form = page.form("email", "password1")
            if form is None:
                raise Stuck(f"no form to register with: {page.said}")
            try:
                self._page = self._browser.send(
                    page, form, {"email": self.email, "password1": self._password, "old_enough": "on"}
                )
            except Broken:
                continue
            if self._page.form("code") is None:
                raise Stuck(f"no question for the mailed code: {self._page.said}")
            return self.email
        raise Stuck("the site broke off six times")

    def confirm(self) -> str:
        """Type the mailed code; sign in again where the site forgot that it had asked."""
        used: set[str] = set()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            page = self._browser.get("/console/")
            if page.path.startswith("/console"):
                return f"code of the mail “{self._mailbox.mails()[0].subject}” accepted"
            try:
                self._answer_question(page, used)
            except Broken:
                continue
        raise Stuck(f"the code was not accepted: {self._browser.get('/console/').said}")

    def _answer_question(self, page: Page, used: set[str]) -> None:
        asked = self._page if self._page is not None and self._page.form("code") else page
        form = asked.form("code")
        if form is not None:
            code = patiently(
                lambda: next((m.code for m in self._mailbox.mails()[::-1] if m.code), None), "the mail"
            )
            if code not in used:
                self._page = self._browser.send(asked, form, {"code": code})
                used.add(code)  # not before: what nobody answered is sent again
                return
        self._page = None
        form = page.form("login", "password")
        if form is None:
            raise Stuck(f"neither a code nor a password is asked: {page.said}")
        self._page = self._browser.send(page, form, {"login": self.email, "password": self._password})
        used.clear()

    def choose(self) -> str:
        """The cheapest plan that costs something."""
        page = self._browser.get("/plans/")
        offers = []
        for card in page.main.all("article"):
            tag = next((e for e in card.all() if "plan-price" in e.attributes.get("class", "")), None)
            price = " ".join(part.text for part in tag.children if part.text) if tag else ""
            amount = re.search(r"\d+(?:[.,]\d+)?", price)
            link = next(
                (a.attributes["href"] for a in card.all("a") if "/buy/" in a.attributes.get("href", "")),
                "",
            )
            heading = card.first("h3")
            if amount and float(amount[0].replace(",", ".")) and link and heading:
                offers.append((float(amount[0].replace(",", ".")), link, f"{heading.text} for {price}"))
        if not offers:
            raise Stuck(f"no plan that costs something: {page.said}")
        _, self.plan, told = min(offers)
        return told

    def pay(self) -> str:
        """Order, and fill in the card on the provider's page; begin again where the site broke off."""
        deadline = time.monotonic() + PATIENCE_S
        page = self._order()
        while time.monotonic() < deadline:
            if page.url.startswith(self.checkout):
                form = page.form("number")
                if form is None:
                    raise Stuck(f"no card is asked for: {page.said}")
                page = self._browser.send(page, form, _CARD)
                number = _ORDER.search(page.path)
                if number is None or not self._state(page):
                    raise Stuck(f"the payment was not taken: {page.said}")
                self.order = number[1]
                return f"order {self.order} paid at {self.checkout}"
            page = self._order()
        raise Stuck(f"did not come to the provider's page: {page.said}")

    def _order(self) -> Page:
        """Send the order; after a break, take up the order that may have been made."""
        page = self._browser.get(self.plan)
        form = page.main.deed
        if form is None:
            raise Stuck(f"nothing to order here: {page.said}")
        try:
            return self._browser.send(page, form, {})
        except Broken:
            return self._take_up()

    def _take_up(self) -> Page:
        orders = self._browser.get("/console/orders/")
        number = orders.link(r"/console/orders/[^/]+/$")
        if not number:
            return orders
        page = self._browser.get(f"/checkout/{number.rstrip('/').rpartition('/')[2]}/return")
        form = page.main.deed
        if self._state(page) != "awaiting_payment" or form is None:
            return page
        try:
            return self._browser.send(page, form, {})
        except Broken:
            return orders

    @staticmethod
    def _state(page: Page) -> str:
        box = page.root.first(id="purchase")
        return box.attributes.get("data-state", "") if box else ""

    def wait_for_delivery(self) -> str:
        """Look at the page of return until it says that all is handed over."""
        seen: list[str] = []

        def once() -> str | None:
            state = self._state(self._browser.get(f"/checkout/{self.order}/return"))
            if state and state not in seen[-1:]:
                seen.append(state)
            return state if state == "delivered" else None

        try:
            patiently(once, "the delivery")
        except Stuck:
            raise Stuck(f"not delivered; the order went through {', '.join(seen) or 'nothing'}") from None
        return " → ".join(seen)

    def take_key(self) -> str:
        """Reveal it, once. A key that was shown into a broken connection is lost: then make another."""
        lost = 0
        for _ in range(6):
            try:
                page = self._shown_key()
            except Broken:
                lost += 1
                continue
            box = next((e for e in page.root.all("code") if "data-key" in e.attributes), None)
            if box is None:
                raise Stuck(f"no key is shown: {page.said}")
            self.key = box.text
            self.figures["first_key_s"] = round(time.monotonic() - self.began, 2)
            example = re.search(re.escape(self.gate) + r"/[^\s'\"\\<>]+", page.main.text)
            self._example = example[0] if example else ""
            base = next((e for e in page.root.all("code") if "data-base" in e.attributes), None)
            self.relay_base = base.text if base else ""
            note = f"; {lost} lost while the site restarted" if lost else ""
            return f"{self.key[:8]}…{self.key[-4:]}{note}"
        raise Stuck("the site broke off six times while it showed a key")

    def _shown_key(self) -> Page:
        page = self._browser.get("/console/keys/")
        reveal = page.link(r"/console/keys/delivered/")
        page = self._browser.get(reveal or "/console/keys/new/")
        form = page.main.deed
        if form is None:
            raise Stuck(f"no way to a key: {page.said}")
        return self._browser.send(page, form, {} if reveal else {"name": "tour"})

    def first_call(self) -> str:
        """The call that the page with the key proposes."""
        if not self._example:
            raise Stuck("the page with the key names no call to try")
        self.caller = Caller(self._example, self.key)
        answered = self.caller.call()
        self.figures["first_call_ms"] = round(answered.ms, 1)
        return f"{answered.response.status_code} from {self._example} in {answered.ms:.1f} ms"

    @property
    def _calling(self) -> Caller:
        if self.caller is None:
            raise Stuck("no call was made yet")
        return self.caller

    def see_usage(self) -> str:
        """The console shows the call and a balance that is smaller by it."""
        calls, units, odd = self._settled()
        page = self._browser.get("/console/")
        left = _LEFT.search(page.main.text)
        if left is None:
            raise Stuck(f"the console shows no balance: {page.said}")
        return f"{calls} call, {units:g} unit charged, {left[0]}{odd}"

    def _used(self) -> tuple[int, float]:
        page = self._browser.get("/console/usage/")
        found = _USED.search(page.main.text)
        if found is None:
            raise Stuck(f"the console shows no usage: {page.said}")
        return int(found[1].replace(",", "")), float(found[2].replace(",", ""))

    def _settled(self) -> tuple[int, float, str]:
        """Calls and units as the console shows them, once it shows all that were served; and what it
        showed instead of a page of usage on the way there, if anything."""
        caller = self._calling
        seen, odd = "nothing", ""

        def once() -> tuple[int, float] | None:
            nonlocal seen, odd
            try:
                calls, units = self._used()
            except Stuck as error:
                seen = odd = str(error)
                return None
            seen = f"{calls} calls, {units:g} units"
            return (calls, units) if units >= caller.served else None

        try:
            return *patiently(once, "the usage"), f" (once, {odd})" if odd else ""
        except Stuck:
            raise Stuck(f"{caller.served} calls were served, but the console shows {seen}") from None

    def hit_limit(self) -> str:
        """As fast as it goes, until the gate refuses; the refusal has to be a good one."""
        refusal = self._calling.burst()
        mistakes = mistakes_of_refusal(refusal.response)
        if mistakes:
            raise Stuck(f"the refusal is not right: {'; '.join(mistakes)}")
        self._wait_s = int(refusal.response.headers["Retry-After"])
        return f"429 after {self._calling.served} calls, Retry-After {self._wait_s}"

    def go_on(self) -> str:
        """Wait as long as the gate said, no longer; the next call is served."""
        time.sleep(self._wait_s)
        answered = self._calling.call()
        return f"{answered.response.status_code} after {self._wait_s} s"

    def compare(self) -> str:
        """Charged units equal served calls; calls whose answer was lost may count or not, never twice."""
        caller = self._calling
        calls, units, odd = self._settled()
        self.figures["calls"] = caller.served if not caller.lost else int(units)
        self.figures["charged_units"] = int(units) if units == int(units) else units
        if not caller.served <= units <= caller.served + caller.lost:
            raise Stuck(f"{caller.served} calls were served, {caller.lost} lost, but {units:g} units charged")
        lost = f" ({caller.lost} answers were lost on the way)" if caller.lost else ""
        return f"{caller.served} calls served, {calls} in the console, {units:g} units charged{lost}{odd}"

    def receipt(self) -> str:
        """A page in the console, and a mail."""
        address = patiently(
            lambda: self._browser.get(f"/console/orders/{self.order}/").link(r"/documents/[^/]+/$") or None,
            "a receipt at the order",
        )
        page = self._browser.get(address)
        document = page.path.strip("/").rpartition("/")[2]
        if page.status != 200 or document not in page.text:
            raise Stuck(f"the receipt cannot be read: {page.said}")
        mail = patiently(
            lambda: next((m for m in self._mailbox.mails() if document in m.subject + m.text), None),
            f"a mail about {document}",
        )
        return f"{document}, mailed as “{mail.subject}”"
