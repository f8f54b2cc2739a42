"""What left for authorities stands in a case that two people agreed to."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.flows import authorities as flow
from tollkeeper.kit import egress
from tollkeeper.privacy import authorities
from tollkeeper.privacy.models import AuthorityCase
from tollkeeper.proofs import sharing
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
FACTS = {"authority": "A court", "country": "DE", "ground": "x", "kind": "data"}


def released(gag_until: dt.date | None = None) -> tuple[str, uuid.UUID]:
    ada, one, two = (accounts.create_person(f"{name}@example.org", None).pk for name in ("ada", "one", "two"))
    number = authorities.open_case(ada, **FACTS, record_sets=("support",), opened_by=one, gag_until=gag_until)  # type: ignore[arg-type]
    authorities.check(number, two, form=True, jurisdiction=True, treaty=True)
    authorities.release(number, one)
    return number, ada


def test_a_case_that_was_released_and_told_is_in_order() -> None:
    number, ada = released()
    flow._tell(number, ada)
    facts = sharing.authorities(Context())
    assert (facts["released"], facts["disclosures"], facts["outside_a_case"]) == (1, 1, 0)


def test_what_left_outside_any_case_is_found_although_there_is_one() -> None:
    number, ada = released()
    flow._tell(number, ada)
    egress.note_disclosure("authorities", "legal", ada, at=timezone.now(), fields=("x",), categories=())
    with pytest.raises(Broken, match="without a case"):
        sharing.authorities(Context())


def test_a_release_that_nobody_checked_is_found() -> None:
    number, _ = released()
    AuthorityCase.objects.filter(number=number).update(checked_by="")
    with pytest.raises(Broken, match="second look"):
        sharing.authorities(Context())


def test_a_gag_that_is_over_and_of_which_nobody_was_told_is_found() -> None:
    number, _ = released(timezone.now().date() + dt.timedelta(days=5))
    assert sharing.authorities(Context())["gags_that_hold"] == 1
    over = timezone.now().date() - dt.timedelta(days=3)
    AuthorityCase.objects.filter(number=number).update(gag_until=over)
    with pytest.raises(Broken, match="was not told"):
        sharing.authorities(Context())
