"""Plants values of every kind through the pages people use, and searches everything for them."""

from __future__ import annotations

import random
import re
from pathlib import Path

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import Client

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.core.terms import KeyTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import erasure
from tollkeeper.privacy.canary import Hit, Scanner

SUMMARY = (
    "Address, password, nickname, key, ticket, card, factor, browser and network address: found nowhere."
)
CARDS = ("4242424242424242", "5555 5555 5555 4444", "3782-822463-10005")


class Visitor:
    """One person in a browser, with values that occur nowhere else."""

    def __init__(self, number: int, chance: random.Random) -> None:
        word = f"{number}{chance.randrange(16**10):010x}"
        self.email = f"Canary.{word}@Example.org"
        self.password = f"pass-{word}-phrase"
        self.nickname = f"Nick {word[::-1]}"
        self.letter = f"letter of {word}x"
        self.card = CARDS[number % len(CARDS)]
        self.address = f"198.51.100.{1 + number % 250}"
        self.agent = f"Canary-{word}/1.0"
        self.key = self.secret = ""
        self.client = Client(headers={"user-agent": self.agent}, REMOTE_ADDR=self.address)

    def needles(self) -> dict[str, str]:
        """What must not be found, by what it is."""
        return {
            "address": self.email,
            "password": self.password,
            "nickname": self.nickname,
            "ticket": self.letter,
            "key": self.key,
            "factor": self.secret,
            "browser": self.agent,
            "session": self.client.cookies["sessionid"].value
            if "sessionid" in self.client.cookies
            else "-none-",
            "network address": self.address,
        }

    def live(self) -> None:
        """Sign up, confirm, fill in the profile, add a factor, take a key, write with a card number."""
        cache.clear()
        sent = {"email": self.email, "password1": self.password, "old_enough": "on"}
        asked = self.client.post("/accounts/signup/", sent)
        self.client.post(asked["Location"], {"code": self._code()})
        self.client.post("/console/settings/", {"nickname": self.nickname, "language": "en"})
        self._factor("/accounts/2fa/totp/activate/")
        user = User.objects.order_by("-created_at").first()
        assert user is not None
        customer = accounts.ensure_customer(user)
        _, key = delivery.create_key(customer, name=self.nickname, terms=KeyTerms(plan="canary"))
        self.key = key.text
        letter = {"contact": self.email, "title": "hello", "body": f"{self.letter}, card: {self.card}"}
        Client().post("/contact/", letter)
        Client().get(f"/plans/?email={self.email}", headers={"referer": f"https://example.org/{self.email}"})
        Client().post("/accounts/login/", {"login": self.email, "password": "wrong " + self.password})
        self.subject = user.pk

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


def _search(people: list[Visitor]) -> list[Hit]:
    needles = [value for one in people for value in one.needles().values() if len(value) > 8]
    digits = [card.translate({32: None, 45: None}) for card in CARDS]
    scanner = Scanner([*needles, *CARDS, *digits])
    found = [hit for alias in ("default", "keystore") for hit in scanner.scan_database(alias)]
    for connection in connections.all():
        connection.close()
    return found + list(scanner.scan_folder(Path(settings.ENV.home), leave_out=[Path(settings.MAIL_FOLDER)]))


def run(scene: Scene) -> Outcome:
    """Let people live, search; erase half of them, search again."""
    open_shop()
    chance = random.Random(scene.seed)  # noqa: S311 - repeatable on purpose
    people = [Visitor(number, chance) for number in range(3 if scene.quick else 25)]
    for number, one in enumerate(people):
        scene.say(number, len(people), "people live")
        one.live()
    alive = _search(people)
    for one in people[::2]:
        erasure.erase(one.subject)
    gone = _search(people)
    figures: dict[str, Figure] = {
        "people": len(people),
        "planted": sum(len(one.needles()) for one in people) + len(CARDS),
        "hits": len(alive) + len(gone),
        "hits_after_erasure": len(gone),
        "erased": len(people[::2]),
        "left": User.objects.count(),
    }
    for hit in sorted({hit.place for hit in (*alive, *gone)})[:20]:
        scene.say(0, 0, f"found in {hit}")
    return Outcome(not alive and not gone, figures)
