"""What every payment provider file keeps. A new file is tested by adding a stage to STAGES."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pytest

from samples.fakestripe.client import InProcess
from samples.fakestripe.engine import Engine
from tollkeeper.config import environment
from tollkeeper.core.egress import field_names
from tollkeeper.core.settlement import Collected
from tollkeeper.core.terms import OffTerms
from tollkeeper.payments import registry
from tollkeeper.payments.providers import (
    Asked,
    BadEvent,
    Evidence,
    Intent,
    Item,
    Located,
    Missing,
    Provider,
    Refused,
    Rhythm,
    Unsure,
    free,
    invoice,
    stripe,
)

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@dataclass
class Stage:
    """A provider, and how its payer pays: ``pay(reference)``; ``break_line()`` loses the next answers."""

    provider: Provider
    amount_minor: int
    pay: Callable[[str], object]
    break_line: Callable[[], None] | None = None
    received: list[int] = field(default_factory=list)
    """Transfers noted in the shop's own rows, for providers whose truth they are."""
    tells_refunds: bool = True


def _stripe() -> Stage:
    engine = Engine()
    provider = stripe.StripeProvider("sk_test_x", ("s",), http_client=InProcess(engine))

    def break_line() -> None:
        engine.lose_next = 3

    return Stage(provider, 1500, lambda name: engine.bank.pay(name, "ok"), break_line)


def _free() -> Stage:
    return Stage(free.FreeProvider(live=False), 0, lambda name: None)


def _invoice() -> Stage:
    provider = invoice.InvoiceProvider(live=False, account=("Shop", "DE00", "BIC"))
    received: list[int] = []
    return Stage(provider, 1500, lambda name: received.append(1500), None, received, tells_refunds=False)


STAGES = {"stripe": _stripe, "free": _free, "invoice": _invoice}


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]()


def intent(stage: Stage, attempt: str = "0b7e3f5e-0000-4000-8000-000000000001") -> Intent:
    return Intent(
        attempt=attempt,
        generation=0,
        order="TK-AAAAA-BBBBB",
        customer="cus_0011223344556677",
        payer="",
        items=(Item("Ten thousand calls", stage.amount_minor),),
        currency="EUR",
        period=None,
        success_url="http://shop.invalid/checkout/TK-AAAAA-BBBBB/return",
        cancel_url="http://shop.invalid/checkout/TK-AAAAA-BBBBB/cancelled",
        created_at=NOW,
        expires_at=NOW + dt.timedelta(hours=23),
    )


def asked(stage: Stage, reference: str) -> Asked:
    given = intent(stage)
    return Asked(
        given.attempt,
        given.order,
        reference,
        stage.amount_minor,
        "EUR",
        stage.provider.live,
        "redirected",
        tuple(stage.received),
    )


def test_every_provider_file_stands_on_a_stage() -> None:
    assert set(registry.names()) == set(STAGES)


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_file_has_the_form(name: str) -> None:
    module = registry.module(name)
    assert hasattr(module, "PROCESSOR")
    provider = module.build({})
    assert provider.name == name
    assert isinstance(provider.live, bool)


def test_starting_again_gives_the_same_session(stage: Stage) -> None:
    one = stage.provider.start(intent(stage))
    assert one.reference
    assert one.url.startswith("http")
    assert stage.provider.start(intent(stage)).reference == one.reference
    found = stage.provider.find(intent(stage))
    assert found is not None
    assert found.reference == one.reference


def test_another_attempt_is_another_session(stage: Stage) -> None:
    other = intent(stage, "0b7e3f5e-0000-4000-8000-000000000002")
    assert stage.provider.start(intent(stage)).reference != stage.provider.start(other).reference


def test_what_was_paid_is_told_exactly(stage: Stage) -> None:
    started = stage.provider.start(intent(stage))
    stage.pay(started.reference)
    facts = stage.provider.fetch(asked(stage, started.reference))
    assert isinstance(facts, Collected)
    assert (facts.state, facts.amount_minor, facts.currency) == ("succeeded", stage.amount_minor, "EUR")
    assert (facts.order, facts.live) == ("TK-AAAAA-BBBBB", False)


def test_what_does_not_exist_is_missing(stage: Stage) -> None:
    with pytest.raises(Missing):
        stage.provider.fetch(asked(stage, "cs_test_0"))


def test_closing_twice_and_closing_what_is_paid_is_fine(stage: Stage) -> None:
    started = stage.provider.start(intent(stage))
    stage.pay(started.reference)
    stage.provider.expire(started.reference)
    stage.provider.expire(started.reference)
    assert stage.provider.fetch(asked(stage, started.reference)).state == "succeeded"


def test_a_refund_happens_once_however_often_it_is_asked(stage: Stage) -> None:
    started = stage.provider.start(intent(stage))
    stage.pay(started.reference)
    facts = stage.provider.fetch(asked(stage, started.reference))
    if stage.amount_minor == 0:
        with pytest.raises(Refused):
            stage.provider.refund("r-1", facts.payment, 1, "EUR", facts.order)
        return
    refund = ("0b7e3f5e-0000-4000-8000-0000000000aa", facts.payment, 500, "EUR", facts.order)
    one, two = stage.provider.refund(*refund), stage.provider.refund(*refund)
    assert one == two
    if not stage.tells_refunds:
        assert one.state == "pending"
        return
    (told,) = stage.provider.fetch(asked(stage, started.reference)).refunds
    assert (told.reference, told.amount_minor, told.ours) == (one.reference, 500, refund[0])
    with pytest.raises(Refused):
        stage.provider.refund("0b7e3f5e-0000-4000-8000-0000000000ab", facts.payment, 1001, "EUR", facts.order)


def test_no_answer_is_told_apart_from_no(stage: Stage) -> None:
    if stage.break_line is None:
        pytest.skip("nothing is far away")
    stage.break_line()
    with pytest.raises(Unsure):
        stage.provider.start(intent(stage))
    assert stage.provider.start(intent(stage)).reference


def test_what_is_no_event_is_refused(stage: Stage) -> None:
    for body in (b"", b"{}", b"\xff", b"[]"):
        with pytest.raises(BadEvent):
            stage.provider.read_event(body, "t=1,v1=00", NOW)


def test_what_is_not_ours_is_nobodys(stage: Stage) -> None:
    assert stage.provider.locate("balance.available", "obj_1") == Located()


def test_forgetting_twice_is_fine(stage: Stage) -> None:
    stage.provider.forget("cus_unknown")
    stage.provider.forget("cus_unknown")


def test_a_dispute_that_nobody_has_is_not_contested(stage: Stage) -> None:
    with pytest.raises(Missing):
        stage.provider.contest("du_unknown", Evidence("a pack", "2027-01-31", "", "{}"))


def test_a_wrong_currency_is_a_clear_no(stage: Stage) -> None:
    if not stage.provider.remote:
        pytest.skip("nothing is collected")
    with pytest.raises(Refused):
        stage.provider.start(replace(intent(stage), currency="EURO"))


def test_currencies_that_count_differently_survive_the_way() -> None:
    stage = _stripe()
    given = replace(intent(stage), currency="ISK")
    started = stage.provider.start(given)
    stage.pay(started.reference)
    facts = stage.provider.fetch(replace(asked(stage, started.reference), currency="ISK"))
    assert (facts.amount_minor, facts.currency) == (1500, "ISK")


@pytest.mark.parametrize("shop", ["twtapi", "gettoken"])
def test_every_field_that_leaves_for_stripe_stands_in_the_shops_register(shop: str) -> None:
    """The egress door refuses what the register does not name: a story with everything in it."""
    file = environment.repository() / "shops" / shop / "policy.toml"
    allowed = frozenset(tomllib.loads(file.read_text())["recipients"]["stripe"]["fields"])
    engine = Engine()
    left: set[str] = set()
    real = engine.serve

    def serve(method: str, url: str, headers: dict[str, str], body: str = "") -> object:
        kind = "application/x-www-form-urlencoded"
        left.update(field_names(kind, body.encode(), urlsplit(url).query))
        return real(method, url, headers, body)

    engine.serve = serve  # type: ignore[method-assign, assignment]
    provider = stripe.StripeProvider("sk_test_x", ("s",), http_client=InProcess(engine))
    stage = Stage(provider, 1500, lambda name: engine.bank.pay(name, "ok"))
    once = intent(stage)
    plan = replace(once, attempt="p", period="month", off=OffTerms(100, "months", 3))
    tried = replace(once, attempt="t", period="year", trial_days=14, card=False)
    for one in (once, plan, tried):
        provider.find(one)
        engine.bank.pay(provider.start(one).reference, "ok")
    subs = list(engine.store.all("subscription"))
    bill = replace(once, attempt="b", draws_on=subs[0]["id"], payer=subs[0]["customer"])
    provider.start(bill)
    provider.find(bill)
    provider.change(subs[0]["id"], Item("More", 9900), "EUR", "k1", OffTerms(200, "forever"))
    provider.change(subs[0]["id"], Item("Less", 900), "EUR", "k2")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=99)
    provider.change(subs[0]["id"], Item("Year", 9900), "EUR", "k3", rhythm=Rhythm("year", later))
    provider.pause(subs[0]["id"])
    provider.resume(subs[0]["id"])
    provider.cancel(subs[0]["id"], at_end=True)
    provider.cancel(subs[0]["id"], at_end=False)
    provider.portal(subs[1]["customer"], "http://shop.invalid/")
    payment = next(engine.store.all("charge"))
    provider.refund("r1", payment["payment_intent"], 100, "EUR", once.order)
    dispute = engine.bank.dispute(payment["id"])
    provider.contest(dispute["id"], Evidence("a", "2026-01-01", "b", "c"))
    provider.missed(NOW - dt.timedelta(days=1))
    provider.fetch(asked(stage, provider.start(once).reference))
    provider.forget(subs[1]["customer"])
    beyond = {name for name in left if name not in allowed}
    assert beyond == set()
