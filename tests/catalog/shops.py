"""A small shop file for tests, and a way to spoil it."""

from __future__ import annotations

from pathlib import Path

from tollkeeper.catalog.crosscheck import Known
from tollkeeper.catalog.mistakes import BadShop, Mistake
from tollkeeper.catalog.shopfile import read_shop

KNOWN = Known(meters=("calls", "tokens"), providers=("free", "stripe"), provisioners=("gate_key", "relay"))

SMALL = """\
name = "small"
currency = "EUR"
languages = ["en"]
[brand]
name = "Small"
[seller]
legal_name = "Small GmbH"
address = ["Weg 1", "10115 Berlin"]
country = "DE"
email = "office@small.example"
[support]
email = "help@small.example"
[units.calls]
one = "call"
many = "calls"
[plans.basic]
kind = "subscription"
name = "Basic"
period = "month"
prices = [{ currency = "EUR", amount = "9.90", period = "month" }]
grants = [{ unit = "calls", amount = 100, per = "period" }]
limits = [{ name = "second", amount = 5, window = "1s" }]
[upstreams.main]
url = "https://up.example/base/"
credential = "UP_KEY"
[[routes]]
name = "one"
path = "/v1/things/{id}"
upstream = "main"
[payments]
providers = ["stripe"]
"""


def write(folder: Path, text: str, api: str = "") -> Path:
    """Write a shop's folder and give it back."""
    (folder / "shop.toml").write_text(text, encoding="utf-8")
    if api:
        (folder / "openapi.yaml").write_text(api, encoding="utf-8")
    return folder


def mistakes(folder: Path, text: str, api: str = "") -> tuple[Mistake, ...]:
    """The mistakes of a shop file; empty if there are none."""
    try:
        read_shop(write(folder, text, api), KNOWN)
    except BadShop as bad:
        return bad.mistakes
    return ()
