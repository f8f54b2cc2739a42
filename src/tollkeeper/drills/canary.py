"""Plants values of every kind through every form and header, and searches everything for them."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.cards import find_cards
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.core.terms import MICRO, KeyTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.drills._dumps import scan_backups
from tollkeeper.drills._forms import fill_in
from tollkeeper.drills._gates import Gate, call
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import erasure, metering
from tollkeeper.kit import backups
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.privacy import discovery
from tollkeeper.privacy.canary import Hit, Scanner
from tollkeeper.usage import services as usage

SUMMARY = "Address, name, street, password, key, ticket, card, factor, browser, network: found nowhere."
CARDS = ("4242424242424242", "5555 5555 5555 4444", "3782-822463-10005")
HEADERS = (
    "User-Agent", "Referer", "X-Forwarded-For", "X-Real-IP", "Forwarded", "From", "Accept-Language",
    "Authorization", "X-Request-Id", "X-Card", "If-None-Match", "HX-Current-URL",
)  # fmt: skip
PAGES = ["/", "/plans/", "/contact/", "/privacy/request/", "/privacy/minor/", "/accounts/login/"]
INSIDE = [
    "/console/", "/console/keys/", "/console/settings/", "/console/settings/invoices/", "/console/support/",
    "/console/support/new/", "/console/webhooks/", "/console/orders/", "/console/privacy/",
]  # fmt: skip
_KINDS = {"backups": "backups", "logs": "logs", "journal": "journal", "anchors": "files"}


class Visitor:
    """One person in a browser, with values that occur nowhere else."""

    def __init__(self, number: int, chance: random.Random) -> None:
        word = f"{number}{chance.randrange(16**10):010x}"
        self.email = f"Canary.{word}@Example.org"
        self.password = f"pass-{word}-phrase"
        self.nickname = f"Nick {word[::-1]}"
        self.name = f"Ada {word} Canary"
        self.street = f"{word} Canary Road"
        self.letter = f"letter of {word}x"
        self.card = CARDS[number % len(CARDS)]
        self.address = f"198.51.100.{1 + number % 250}"
        self.agent = f"Canary-{word}/1.0"
        self.key = self.secret = ""
        self.forms: list[str] = []
        self.client = Client(headers={"user-agent": self.agent}, REMOTE_ADDR=self.address)

    def needles(self) -> dict[str, str]:
        """What must not be found, by what it is."""
        session = self.client.cookies.get("sessionid")
        return {
            "address": self.email,
            "password": self.password,
            "nickname": self.nickname,
            "name": self.name,
            "street": self.street,
            "ticket": self.letter,
            "key": self.key,
            "factor": self.secret,
            "browser": self.agent,
            "session": session.value if session else "-none-",
            "network address": self.address,
        }

    def live(self, *, everywhere: bool) -> None:
        """Sign up, confirm, fill in what there is, add a factor, take a key, write with a card number.

        ``everywhere``: also send each form of each page, and each header, with what nobody should send.
        """
        cache.clear()
        sent = {"email": self.email, "password1": self.password, "old_enough": "on"}
        asked = self.client.post("/accounts/signup/", sent)
        self.client.post(asked["Location"], {"code": self._code()})
        self.client.post("/console/settings/", {"nickname": self.nickname, "language": "en"})
        self._factor("/accounts/2fa/totp/activate/")
        user = User.objects.order_by("-created_at").first()
        assert user is not None
        self.subject = user.pk
        customer = accounts.ensure_customer(user)
        buyer = {"name": self.name, "address": f"{self.street}\nDublin", "country": "IE", "vat_id": ""}
        self.client.post("/console/settings/invoices/", buyer)
        _, key = delivery.create_key(customer, name=self.nickname, terms=KeyTerms(plan="canary"))
        self.key = key.text
        usage.issue_grant(
            key=f"drill:{self.subject}", customer_id=customer, unit="calls", amount=MICRO, source="drill"
        )
        self._write()
        if everywhere:
            self._everywhere()

    def _write(self) -> None:
        letter = {"contact": self.email, "title": f"hello {self.card}", "body": f"{self.letter}: {self.card}"}
        Client().post("/contact/", letter)
        self.client.post("/console/support/new/", {**letter, "title": self.letter})
        asked = {"kind": "access", "contact": self.email, "words": f"{self.letter}, {self.card}"}
        Client().post("/privacy/request/", asked)
        Client().get(f"/plans/?email={self.email}", headers={"referer": f"https://example.org/{self.email}"})
        Client().post("/accounts/login/", {"login": self.email, "password": "wrong " + self.password})

    def _say(self, kind: str) -> str:
        """What to type into a field of this kind."""
        typed = {"email": self.email, "url": f"https://example.org/{self.card}", "number": "1"}
        return typed.get(kind, f"{self.letter} {self.card}"[:60] if kind != "textarea" else self._words())

    def _words(self) -> str:
        return f"{self.letter}\n{self.name}\n{self.card}\n{self.email}"

    def _everywhere(self) -> None:
        for client, starts in ((Client(), PAGES), (self.client, INSIDE)):
            self.forms += list(fill_in(client, starts, self._say))
        for value in (self.card, self.email):
            for name in HEADERS:
                Client().get("/plans/", headers={name: value})
                Client().post("/contact/", {"body": ""}, headers={name: value})
            for path in (f"/{value}", f"/docs/{value}/", f"/contact/{value}/{value}/", f"/?q={value}"):
                Client().get(path)
            Client().get("/", headers={"cookie": f"sessionid={value}; theme={value}; csrftoken={value}"})
            Client().post("/hooks/stripe", f'{{"id": "{value}"}}', content_type="application/json")

    def _factor(self, path: str) -> None:
        asked = self.client.get(path)
        if asked.status_code == 302:
            self.client.post(asked["Location"], {"password": self.password})
        found = re.search(r"\b[A-Z2-7]{32}\b", self.client.get(path).content.decode())
        if found is None:
            raise RuntimeError("the page shows no secret")
        self.secret = found[0]
        counter = next(iter(yield_hotp_counters_from_time()))
        self.client.post(path, {"code": format_hotp_value(hotp_value(self.secret, counter))})

    def _code(self) -> str:
        newest = max(Path(settings.MAIL_FOLDER).glob("*.eml"))
        found = re.search(r"^([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", newest.read_text(), re.M)
        if found is None:
            raise RuntimeError("the mail holds no code")
        return found[1]


async def _use(port: int, one: Visitor) -> None:
    """Calls through a real gate, with the person's traces in path, query, headers and body."""
    body = f'{{"from": "{one.email}", "card": "{one.card}", "words": "{one.letter}"}}'.encode()
    for path in (f"/v1/posts?email={one.email}&card={one.card.replace(' ', '+')}", f"/v1/{one.email}"):
        for key in (one.key, one.key[:-1] + "x"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = [f"POST {path} HTTP/1.1", "Host: gate", f"Authorization: Bearer {key}"]
            lines += [f"{name}: {one.email} {one.card}" for name in HEADERS if name != "Authorization"]
            lines += [
                f"Cookie: s={one.email}",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
            ]
            try:
                await call(reader, writer, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            except OSError:
                continue  # refused by closing: what is kept of it is looked at all the same
            finally:
                writer.close()


def _search(scanner: Scanner) -> list[Hit]:
    found = [hit for alias in ("default", "keystore") for hit in scanner.scan_database(alias)]
    for connection in connections.all():
        connection.close()
    left_out = [Path(settings.MAIL_FOLDER), Path(settings.ENV.home) / "static"]
    found += scanner.scan_folder(Path(settings.ENV.home), leave_out=left_out)
    return [*found, *scan_backups(scanner, backups.list_backups()[-1:])]


def _opened_cards(planted: Collection[str]) -> list[str]:
    """Sealed columns in which a planted card number stands once they are opened: struck out before sealing.

    Any number that might be a card's will not do: a random secret has one now and then.
    """
    found = []
    with serving(OWN):
        for label, entry in discovery.inventory().models.items():
            sealed = [name for name, column in entry.personal.items() if column.sealed]
            model = discovery.installed_models().get(label)
            if model is None or not sealed:
                continue
            for row in model._base_manager.all()[:2_000]:
                texts = [value for name in sealed if isinstance(value := getattr(row, name), str)]
                numbers = {_digits(text[start:end]) for text in texts for start, end in find_cards(text)}
                if not numbers.isdisjoint(planted):
                    found.append(f"opened: {label}")
    return found


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdigit())


def _kind(place: str) -> str:
    """In what a hit lies: tables, sessions, cache, logs, journal, backups or other files."""
    if place.startswith(("default:", "keystore:")):
        return "sessions" if "session" in place else "cache" if "cacheentry" in place else "tables"
    inside = Path(place).relative_to(settings.ENV.home).parts
    if place.endswith(".log"):
        return "logs"
    return next((kind for part, kind in _KINDS.items() if inside[0].startswith(part)), "files")


def run(scene: Scene) -> Outcome:
    """Let people live, search; back up, erase half of them, search again."""
    open_shop()
    chance = random.Random(scene.seed)  # noqa: S311 - repeatable on purpose
    people = [Visitor(number, chance) for number in range(3 if scene.quick else 12)]
    for number, one in enumerate(people):
        scene.say(number, len(people), "people live")
        one.live(everywhere=number < (1 if scene.quick else len(CARDS)))
    for connection in connections.all():
        connection.close()
    for upstream in catalog.gate_terms().upstreams:  # nothing listens there: calls end with 502
        os.environ.setdefault(upstream.credential or "UNUSED", "drill")
    gate = Gate(Path(settings.ENV.home), "gate-1")
    gate.wait_ready()
    for one in people:
        asyncio.run(_use(gate.port, one))
    gate.stop()
    while metering.Intake(Path(settings.ENV.home) / "journal").turn():
        pass
    backups.make(timezone.now())
    needles = [value for one in people for value in one.needles().values() if len(value) > 8]
    digits = [_digits(card) for card in CARDS]
    scanner = Scanner([*needles, *CARDS, *digits])
    alive = _search(scanner)
    opened = _opened_cards(digits)
    for one in people[::2]:
        erasure.erase(one.subject)
    gone = _search(scanner)
    kinds = Counter(_kind(hit.place) for hit in {*alive, *gone})
    hits = len(alive) + len(gone) + len(opened)
    figures: dict[str, Figure] = {
        "people": len(people),
        "planted": len(needles) + len(CARDS),
        "forms": len({form for one in people for form in one.forms}),
        "headers": len(HEADERS),
        "hits": hits,
        **{f"hits_{kind}": kinds[kind] for kind in
           ("tables", "files", "logs", "sessions", "cache", "journal", "backups")},
        "cards_under_seals": len(opened),
        "hits_after_erasure": len(gone),
        "erased": len(people[::2]),
        "left": User.objects.count(),
    }  # fmt: skip
    for place in sorted({hit.place for hit in (*alive, *gone)} | set(opened))[:20]:
        scene.say(0, 0, f"found in {place}")
    return Outcome(not hits, figures)
