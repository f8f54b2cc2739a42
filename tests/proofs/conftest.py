"""A shop that is loaded, as `migrate` leaves it."""

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from tollkeeper.catalog.services import load_shop
from tollkeeper.flows import log_days
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.proofs import running, vouching


@pytest.fixture(autouse=True)
def loaded(db: None) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    log_days.prepare()
    running.load_probes()
    vouching.stand_in(timezone.now())
