"""A shop as `migrate` leaves it, in the scratch home of a drill."""

from __future__ import annotations

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from tollkeeper import flows
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows import log_days
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import append_only
from tollkeeper.proofs import running, vouching


def open_shop() -> None:
    """Make the tables, load the shop and its policy; a stand-in vouches for what people vouch for."""
    (settings.ENV.home / "static").mkdir(exist_ok=True)
    call_command("migrate", "keystore", database="keystore", interactive=False, verbosity=0)
    call_command("migrate", interactive=False, verbosity=0)
    for path in (settings.ENV.keystore, settings.ENV.book):
        if path.exists():
            path.chmod(0o600)
    append_only.install()
    load_shop(settings.ENV.shop)
    load_policy(settings.ENV.shop / "policy.toml")
    log_days.prepare()
    flows.register()  # before any fault: what a process knows of its work is not part of one
    running.load_probes()
    vouching.stand_in(timezone.now())
