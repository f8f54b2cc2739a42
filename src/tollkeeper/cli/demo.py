"""The demo's stand-ins: a payment provider and an upstream API on this machine, and their credentials."""

from __future__ import annotations

import hashlib
import hmac
import os

from tollkeeper.cli.supervisor import Program, python
from tollkeeper.config import environment as settings
from tollkeeper.config.environment import Environment


def _derived(env: Environment, purpose: str) -> str:
    """A credential of this installation's demo: the same at every start, different on every machine."""
    settings.create_secrets(env.home)
    return hmac.digest(env.secret("webhook"), purpose.encode(), hashlib.sha256).hex()


def environment(env: Environment) -> dict[str, str]:
    """Settings that point the product at its stand-ins; a setting made outside goes first."""
    settings.create_secrets(env.home)
    facts = {
        "STRIPE_API_BASE": f"http://127.0.0.1:{env.port + 2}",
        "STRIPE_API_KEY": f"sk_test_demo{_derived(env, 'provider')[:24]}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{env.secret('webhook').hex()}",
        "POSTS_API_KEY": _derived(env, "posts"),
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(settings.repository()), os.environ.get("PYTHONPATH", "")])
        ),
    }
    return {
        name: os.environ.get(name, value) if name != "PYTHONPATH" else value for name, value in facts.items()
    }


def stand_ins(env: Environment) -> list[Program]:
    """FakeStripe on N+2 and the sample posts API on N+3."""
    facts = environment(env)
    return [
        Program(
            "checkout",
            python(
                *("-m", "samples.fakestripe", "--port", str(env.port + 2), "--home", str(env.home)),
                *("--webhook", f"{env.public_url}/hooks/stripe", "--secret", facts["STRIPE_WEBHOOK_SECRET"]),
            ),
            env.port + 2,
            stop_order=2,
        ),
        Program(
            "sample", python("-m", "samples.posts", "--port", str(env.port + 3)), env.port + 3, stop_order=2
        ),
    ]


def addresses(env: Environment) -> dict[str, str]:
    """Where the stand-ins are."""
    return {"sample": f"http://127.0.0.1:{env.port + 3}/", "checkout": f"http://127.0.0.1:{env.port + 2}/"}
