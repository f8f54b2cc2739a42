"""``python -m samples.relays --kind litellm --port P``; the admin secret: ``LITELLM_ADMIN_KEY`` etc."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from samples.relays.litellm import LiteLLM
from samples.relays.newapi import NewAPI
from samples.relays.openrouter import OpenRouter
from samples.relays.own import SECRET, OwnSystem
from samples.relays.relay import Relay
from samples.serve import run

KINDS: dict[str, Callable[[str], Relay]] = {
    "litellm": LiteLLM,
    "newapi": NewAPI,
    "oneapi": lambda admin: NewAPI(admin, one=True),
    "openrouter": OpenRouter,
    "webhook": OwnSystem,
}
DEFAULTS = {
    "litellm": "sk-demo-litellm-admin",
    "newapi": "demo-newapi-token",
    "oneapi": "demo-oneapi-token",
    "openrouter": "sk-or-v1-demo-management",
    "webhook": SECRET,
}


def main() -> None:
    """Parse the command line and serve one relay until told to stop."""
    parser = argparse.ArgumentParser(description="A stand-in for somebody else's relay.")
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--stock", type=int, default=0, help="how many keys are there from the beginning")
    parser.add_argument("--prefix", default="stock-", help="what their names begin with")
    given = parser.parse_args()
    admin = os.environ.get(f"{given.kind.upper()}_ADMIN_KEY", DEFAULTS[given.kind])
    relay = KINDS[given.kind](admin)
    relay.stock(given.stock, given.prefix)
    run(relay.app, given.port)


main()
