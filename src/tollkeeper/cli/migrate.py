"""``tollkeeper migrate``: secrets, tables of the book and of the keystore, the shop's plans and policy."""

from __future__ import annotations

from tollkeeper.cli import home
from tollkeeper.cli.django import reach_book, start
from tollkeeper.config import environment


def migrate() -> None:
    """Bring the book and the keystore up to date, and load the shop into the book.

    Makes the installation's secrets first, if there are none. Safe to run again.

    Example: TOLLKEEPER_HOME=/srv/shop tollkeeper migrate
    """
    home.prepare(environment.read().home)
    env = start()
    reach_book(env)
    from django.core.management import call_command
    from django.utils import timezone

    from tollkeeper.catalog.services import load_shop
    from tollkeeper.catalog.shopfile import read_shop
    from tollkeeper.flows import log_days
    from tollkeeper.flows.policy_change import load_policy
    from tollkeeper.kit import append_only
    from tollkeeper.privacy.policy_store import read_file
    from tollkeeper.proofs import running, vouching

    policy = env.shop / "policy.toml"
    read_shop(env.shop)  # a mistake in it is told before anything is touched
    read_file(policy)
    call_command("migrate", "keystore", database="keystore", interactive=False, verbosity=0)
    call_command("migrate", interactive=False, verbosity=0)
    if not env.redis_url:
        call_command("createcachetable", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    append_only.install()
    load_shop(env.shop)
    load_policy(policy)
    log_days.prepare()
    running.load_probes()
    vouching.stand_in(timezone.now())
