"""The story at a shop that sells language models: a key on our gate, then one at a relay."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tollkeeper.cli.touring.browser import Stuck, patiently
from tollkeeper.cli.touring.caller import MODEL, Chatted, ModelClient, price_micro
from tollkeeper.cli.touring.story import Story

_MICRO = 1_000_000
_UNKNOWN = "no-such-model"


@dataclass(slots=True)
class TokenStory(Story):
    """A stranger who buys tokens. ``book``: the published prices of the model that is called."""

    book: dict[str, int] = field(default_factory=dict)
    _chats: list[Chatted] = field(default_factory=list)
    _client: ModelClient | None = None
    _relay: ModelClient | None = None
    _on_gate: str = ""

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
            ("chat at the relay", self.chat_at_relay),
            ("see the relay's quota", self.see_quota),
            ("get the second receipt", self.receipt),
        ]

    def choose_gate(self) -> str:
        """The pack of credits; in US dollars."""
        return self._choose(r"/buy/pack-[^/]+/usd-")

    def choose_relay(self) -> str:
        """The pack whose key a relay makes; in US dollars."""
        self._on_gate = self.key
        return self._choose(r"/buy/relay-[^/]+/usd-")

    def _choose(self, pattern: str) -> str:
        page = self._browser.get("/plans/")
        self.plan = page.link(pattern)
        card = next(
            (
                card
                for card in page.main.all("article")
                if any(re.search(pattern, a.attributes.get("href", "")) for a in card.all("a"))
            ),
            None,
        )
        if not self.plan or card is None or "$" not in card.text:
            raise Stuck(f"no such plan in US dollars: {page.said}")
        heading = card.first("h3")
        return f"{heading.text if heading else self.plan}: {card.text[:60]}"

    def take_gate_key(self) -> str:
        """Reveal the key, once."""
        told = self.take_key()
        self._client = ModelClient(self.gate, self.key)
        return told

    @property
    def _chatting(self) -> ModelClient:
        if self._client is None:
            raise Stuck("no key was taken yet")
        return self._client

    def chat_streamed(self) -> str:
        """Events as they come, with the usage at the end."""
        chatted = self._chatting.stream("What does a toll keeper do all day?")
        self._chats.append(chatted)
        return f"{chatted.pieces} pieces from {MODEL}, {chatted.told}"

    def chat_whole(self) -> str:
        """The same model without a stream."""
        chatted = self._chatting.ask("And at night?")
        self._chats.append(chatted)
        return chatted.told

    def ask_unknown(self) -> str:
        """Refused, in the form that OpenAI clients read; it costs nothing."""
        answer = self._chatting.send("Anybody there?", model=_UNKNOWN)
        error = answer.json().get("error") if answer.status_code == 404 else None
        if not error or error.get("code") != "model_unknown":
            raise Stuck(f"not refused as it should be: {answer.status_code} {answer.text[:200]}")
        return f"404 {error['code']}"

    def compare(self) -> str:
        """The console's charge is the upstream's reported usage, priced by the book."""
        due = sum(price_micro(chatted.usage, self.book) for chatted in self._chats)
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
        self._relay = ModelClient(self.relay_base, self.key)
        return f"{told}, for {self.relay_base}"

    def chat_at_relay(self) -> str:
        """The sold key at the relay itself, past our gate."""
        if self._relay is None:
            raise Stuck("no key of the relay was taken yet")
        return self._relay.ask("Is the road open?").told

    def see_quota(self) -> str:
        """What the relay says of the key stands in the console, with its time."""

        def once() -> str | None:
            page = self._browser.get("/console/keys/")
            box = next((e for e in page.root.all("tr") if "data-relay-left" in e.attributes), None)
            return None if box is None or not box.attributes["data-relay-left"] else box.text

        return patiently(once, "a snapshot of the relay's quota")
