"""The story at a shop that sells language models: a key on our gate, then one at a relay, then money back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from tollkeeper.cli.touring.browser import Page, Stuck, patiently
from tollkeeper.cli.touring.models import MODEL, Chatted, Client, Library, Plain, price_micro
from tollkeeper.cli.touring.story import Story

_MICRO = 1_000_000
_UNKNOWN = "no-such-model"
_STOPPED = {401, 403}
"""How a relay refuses a key, whatever is asked with it."""
_MONEY = re.compile(r"Refunded \$([\d,.]+)")


@dataclass(slots=True)
class TokenStory(Story):
    """A stranger who buys tokens. ``book``: what ``/docs/prices.json`` says; ``library``: OpenAI's."""

    book: dict[str, Any] = field(default_factory=dict)
    library: ModuleType | None = None
    _chats: list[Chatted] = field(default_factory=list)
    _at_relay: list[Chatted] = field(default_factory=list)
    _client: Client | None = None
    _relay: Client | None = None
    _on_gate: str = ""
    _sold: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """Names and deeds, in order."""
        return [
            ("register", self.register),
            ("confirm the address", self.confirm),
            ("choose a plan on our gate", self.choose_gate),
            ("pay with a test card", self.pay),
            ("wait for the delivery", self.wait_for_delivery),
            ("take the key", self.take_gate_key),
            ("chat, streamed", self.chat_streamed),
            ("chat, in one piece", self.chat_whole),
            ("ask for an unknown model", self.ask_unknown),
            ("compare tokens and charges", self.compare),
            ("get the receipt", self.receipt),
            ("choose a plan on a relay", self.choose_relay),
            ("pay for it", self.pay),
            ("wait for the relay", self.wait_for_delivery),
            ("take the relay's key", self.take_relay_key),
            ("chat at the relay, streamed", self.chat_at_relay),
            ("see the relay's quota", self.see_quota),
            ("get the second receipt", self.receipt),
            ("give the rest back", self.give_back),
            ("find the key stopped", self.find_stopped),
            ("get the unused part back", self.get_money),
        ]

    def choose_gate(self) -> str:
        """The pack of credits; in US dollars."""
        return self._choose("gate")

    def choose_relay(self) -> str:
        """The pack whose key a relay makes; in US dollars."""
        self._on_gate = self.key
        return self._choose("relay")

    def _choose(self, where: str) -> str:
        """The first pack in the price book that works there, by its link on the page of plans."""
        for plan in self.book["plans"]:
            price = next((p for p in plan["prices"] if p["currency"] == "USD"), None)
            if plan["kind"] == "pack" and plan["works_at"] == where and price is not None:
                break
        else:
            raise Stuck(f"the price book has no pack in US dollars for a {where}")
        page = self._browser.get("/plans/")
        path = price["url"].partition("/buy/")[2]
        self.plan = page.link(re.escape(f"/buy/{path}"))
        if not self.plan:
            raise Stuck(f"the price book names {path}, and the page of plans does not: {page.said}")
        self._sold = {**plan, "amount_minor": price["amount_minor"]}
        return f"{plan['name']} for ${price['amount_minor'] / 100:.2f}"

    def _program(self, base: str) -> Client:
        client: Client = Library(self.library, base, self.key) if self.library else Plain(base, self.key)
        self.figures["client"] = client.name
        return client

    def take_gate_key(self) -> str:
        """Reveal the key, once."""
        told = self.take_key()
        self._client = self._program(self.gate)
        return f"{told}, for {self._client.name}"

    @property
    def _chatting(self) -> Client:
        if self._client is None:
            raise Stuck("no key was taken yet")
        return self._client

    def chat_streamed(self) -> str:
        """Events as they come, with the usage at the end."""
        chatted = self._chatting.stream("What does a toll keeper do all day?")
        self._chats.append(chatted)
        return f"{chatted.pieces} pieces from {MODEL} through {self._chatting.name}, {chatted.told}"

    def chat_whole(self) -> str:
        """The same model without a stream."""
        chatted = self._chatting.ask("And at night?")
        self._chats.append(chatted)
        return chatted.told

    def ask_unknown(self) -> str:
        """Refused, in the form that OpenAI clients read; it costs nothing."""
        status, code = self._chatting.refusal("Anybody there?", _UNKNOWN)
        if (status, code) != (404, "model_unknown"):
            raise Stuck(f"not refused as it should be: {status} {code}")
        return f"404 {code}"

    def compare(self) -> str:
        """The console's charge is the upstream's reported usage, priced by the book."""
        model = next(model for model in self.book["models"] if model["model"] == MODEL)
        due = sum(price_micro(chatted.usage, model) for chatted in self._chats)
        seen: list[int] = []

        def once() -> bool | None:
            calls, units = self._used()
            seen[:] = [round(units * _MICRO)]
            return True if calls >= len(self._chats) and seen[0] >= due else None

        try:
            patiently(once, "the charges")
        except Stuck:
            raise Stuck(f"{due} micro-credits are due, but the console shows {seen}") from None
        if seen[0] != due:
            raise Stuck(f"{due} micro-credits are due, but {seen[0]} were charged")
        tokens = sum(c.usage["total_tokens"] for c in self._chats)
        self.figures |= {"calls": len(self._chats), "tokens": tokens}
        self.figures |= {"charged_units": seen[0] / _MICRO, "due_units": due / _MICRO}
        return f"{tokens} tokens reported, {due / _MICRO:g} credits due, {seen[0] / _MICRO:g} charged"

    def take_relay_key(self) -> str:
        """Reveal the relay's key, once; the page says at which address it works."""
        first = self.figures.get("first_key_s")
        told = self.take_key()
        self.figures["relay_key_s"] = self.figures["first_key_s"]
        self.figures["first_key_s"] = first
        if self.key == self._on_gate:
            raise Stuck("the key of our gate is shown again")
        if not self.relay_base:
            raise Stuck("the page with the key does not say where it works")
        if self.relay_base == self.gate:
            raise Stuck("the page names our gate, not the relay")
        self._relay = self._program(self.relay_base)
        return f"{told}, for {self.relay_base}"

    @property
    def _relaying(self) -> Client:
        if self._relay is None:
            raise Stuck("no key of the relay was taken yet")
        return self._relay

    def chat_at_relay(self) -> str:
        """The sold key at the relay itself, past our gate."""
        chatted = self._relaying.stream("Is the road open?")
        self._at_relay.append(chatted)
        return f"{chatted.pieces} pieces, {chatted.told}"

    def see_quota(self) -> str:
        """Press the button until the relay has counted the chat; what it says stands in the console."""

        def once() -> tuple[int, int] | None:
            page = self._browser.get("/console/keys/")
            row = next((e for e in page.root.all("li") if "data-relay-left" in e.attributes), None)
            used, left = (
                (row.attributes["data-relay-used"], row.attributes["data-relay-left"]) if row else ("", "")
            )
            if used.isdigit() and left.isdigit() and int(used):
                return int(used), int(left)
            self._look_now(page)
            return None

        used, left = patiently(once, "a snapshot of the relay's quota with the chat in it")
        sold = sum(grant["micro"] for grant in self._sold["grants"])
        if used + left != sold:
            raise Stuck(f"{sold} micro-units were sold; the console shows {used} used and {left} left")
        self.figures |= {"relay_used_units": used / _MICRO, "relay_left_units": left / _MICRO}
        return f"{used / _MICRO:g} used, {left / _MICRO:g} left of {sold / _MICRO:g}"

    def _look_now(self, page: Page) -> None:
        form = next((form for form in page.main.forms if form.action.endswith("/look/")), None)
        if form is None:
            raise Stuck(f"no button to have the key looked at: {page.said}")
        self._browser.send(page, form, {})

    def give_back(self) -> str:
        """Not what was needed: stop the key, and have what is unused refunded."""
        page = self._browser.get(f"/console/orders/{self.order}/")
        ask = page.link(r"/give-back/$")
        form = self._browser.get(ask).main.deed if ask else None
        if form is None:
            raise Stuck(f"no way to give the rest back: {page.said}")
        after = self._browser.send(self._browser.get(ask), form, {})
        if "key is stopped" not in after.main.text:
            raise Stuck(f"the order does not say that its key is stopped: {after.said}")
        return f"order {self.order} stopped"

    def find_stopped(self) -> str:
        """The relay refuses the key before any money has moved. Asked in a way that never costs."""
        moved: list[str] = []

        def once() -> tuple[int, str] | None:
            moved[:] = _MONEY.findall(self._browser.get(f"/console/orders/{self.order}/").main.text)
            refused = self._relaying.refusal("Still open?", _UNKNOWN)
            return refused if refused[0] in _STOPPED else None

        status, code = patiently(once, "the relay to refuse the key")
        self.figures["blocked_before_refund"] = not moved
        if moved:
            raise Stuck("the money was back before the key was stopped")
        return f"{status} {code} at the relay, nothing refunded yet"

    def get_money(self) -> str:
        """The unused share of the price, rounded down; the order's page says how much."""
        left, sold = self.figures["relay_left_units"], sum(g["micro"] for g in self._sold["grants"]) / _MICRO
        due = int(self._sold["amount_minor"] * round(left * _MICRO) // round(sold * _MICRO))

        def once() -> int | None:
            found = _MONEY.search(self._browser.get(f"/console/orders/{self.order}/").main.text)
            return round(float(found[1].replace(",", "")) * 100) if found else None

        back = patiently(once, "the refund")
        self.figures |= {"refunded_minor": back, "refund_due_minor": due}
        if back != due:
            raise Stuck(f"{due} cents are due, but {back} went back")
        return f"${back / 100:.2f} of ${self._sold['amount_minor'] / 100:.2f} for {left:g} of {sold:g} unused"
