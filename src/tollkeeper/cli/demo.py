"""The demo's stand-ins: a payment provider and the shop's upstreams, and their credentials."""

from __future__ import annotations

import hashlib
import hmac
import os
from urllib.parse import urlsplit

from tollkeeper.catalog import shopfile
from tollkeeper.catalog.shopfile import Sample
from tollkeeper.cli.supervisor import Program, python
from tollkeeper.config import environment as settings
from tollkeeper.config.environment import Environment


def _derived(env: Environment, purpose: str) -> str:
    """A credential of this installation's demo: the same at every start, different on every machine."""
    settings.create_secrets(env.home)
    return hmac.digest(env.secret("webhook"), purpose.encode(), hashlib.sha256).hex()


def _samples(env: Environment) -> tuple[Sample, ...]:
    """The stand-ins that the shop's file asks for; raises ``BadShop``."""
    shop = shopfile.read_shop(env.shop)
    return shopfile.samples(shop, env.port, lambda name: _derived(env, name))


def _stand_in_hosts(env: Environment) -> str:
    """``recipient=host:port`` of every relay that is played here: what the egress door lets through."""
    shop = shopfile.read_shop(env.shop)
    where = shopfile.addresses(shop, env.port, live=env.live)
    return ",".join(f"{name}={urlsplit(where[name]).netloc}" for name in shop.targets if name in where)


def environment(env: Environment) -> dict[str, str]:
    """Settings that point the product at its stand-ins; a setting made outside goes first."""
    settings.create_secrets(env.home)
    facts = {
        "STRIPE_API_BASE": f"http://127.0.0.1:{env.port + 2}",
        "STRIPE_API_KEY": f"sk_test_demo{_derived(env, 'provider')[:24]}",
        "TOLLKEEPER_STAND_INS": _stand_in_hosts(env),
        "STRIPE_WEBHOOK_SECRET": f"whsec_{env.secret('webhook').hex()}",
        **{name: value for sample in _samples(env) for name, value in (sample.own | sample.shared).items()},
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(settings.repository()), os.environ.get("PYTHONPATH", "")])
        ),
    }
    return {
        name: os.environ.get(name, value) if name != "PYTHONPATH" else value for name, value in facts.items()
    }


def stand_ins(env: Environment) -> list[Program]:
    """FakeStripe on N+2, and from N+3 on what plays the shop's upstreams."""
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
        *(
            Program(
                name,
                python("-m", sample.module, *sample.args, "--port", str(sample.port)),
                sample.port,
                stop_order=2,
            )
            for name, sample in _named(env)
        ),
    ]


def _named(env: Environment) -> list[tuple[str, Sample]]:
    """The stand-ins by the name of their process: ``sample`` is the first, and mostly the only one."""
    return [(f"sample-{s.name}" if number else "sample", s) for number, s in enumerate(_samples(env))]


def addresses(env: Environment) -> dict[str, str]:
    """Where the stand-ins are."""
    own = {name: f"http://127.0.0.1:{sample.port}/" for name, sample in _named(env)}
    return {**own, "checkout": f"http://127.0.0.1:{env.port + 2}/"}
