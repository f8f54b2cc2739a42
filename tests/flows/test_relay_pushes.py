"""What relays say by themselves: checked, taken once, never over what is known to be later."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from samples.relays.own import SECRET, OwnSystem
from tests.contracts.test_provisioners import Line
from tests.services.lines import customer
from tests.services.relay_shop import USD, sell, work
from tollkeeper.core import webhooks
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import queries, registry
from tollkeeper.delivery.models import Delivery, Snapshot
from tollkeeper.delivery.provisioners import Door, litellm, newapi, webhook
from tollkeeper.flows import relay_pushes, relaying
from tollkeeper.kit.models import Job

pytestmark = pytest.mark.django_db
PUSH = webhooks.secret_text(b"what only the two of them know..")
NOW = dt.datetime(2026, 3, 2, 10, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def same_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "counts_otherwise", lambda name, unit: False)


@dataclass
class Own:
    """The operator's own system, and one key of ours there."""

    system: OwnSystem
    key: Delivery

    @property
    def body(self) -> dict[str, Any]:
        [row] = self.system.keys.values()
        return {
            "type": "keys.seen",
            "timestamp": timezone.now().isoformat(),
            "data": {"target": "there", "unit": "USD", "keys": [self.system.show(row)]},
        }


@pytest.fixture
def own() -> Iterator[Own]:
    system = OwnSystem()
    target = TargetTerms("there", "webhook", "http://own.test/keys", "X", resale_allowed=True)
    door = Door(timezone.now, target, SECRET, Line(system.app), push_secret=PUSH)
    with time_machine.travel(NOW, tick=False), registry.stand_in("there", webhook.build(door)):
        sell(customer())
        work()
        yield Own(system, Delivery.objects.get())


def signed(
    message: Any, secret: str = PUSH, at: dt.datetime | None = None
) -> tuple[Mapping[str, str], bytes]:
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    stamp = int((at or timezone.now()).timestamp())
    head = {"webhook-id": "msg_1", "webhook-timestamp": str(stamp)}
    return {**head, "webhook-signature": f"v1,old {webhooks.sign(secret, 'msg_1', stamp, raw)}"}, raw


def said(own: Own, **change: Any) -> dict[str, Any]:
    message = own.body
    message["data"]["keys"][0].update(change)
    return message


def test_what_is_said_is_a_snapshot_with_its_unit_its_window_and_its_time(own: Own) -> None:
    with time_machine.travel(NOW + dt.timedelta(hours=1), tick=False):
        ends = NOW + dt.timedelta(days=3)
        message = said(own, used=2 * USD, window="weekly", resets_at=ends.isoformat())
    with time_machine.travel(NOW + dt.timedelta(hours=1, seconds=20), tick=False):
        assert relay_pushes.take_push("there", *signed(message)) == relay_pushes.Taken(1, 0, 0, 0)
    found = queries.find_snapshot(own.key.pk)
    assert found is not None
    assert (found.used, found.remaining, found.window, found.resets_at) == (2 * USD, 3 * USD, "weekly", ends)
    assert found.as_of == NOW + dt.timedelta(hours=1), "as of when it was so, not of when it came"
    assert found.unit == "credits"


def test_the_same_again_and_what_is_older_change_nothing(own: Own) -> None:
    with time_machine.travel(NOW + dt.timedelta(minutes=2), tick=False):
        late = signed(said(own, used=3 * USD))
    with time_machine.travel(NOW + dt.timedelta(minutes=1), tick=False):
        early = signed(said(own, used=1 * USD))
    with time_machine.travel(NOW + dt.timedelta(minutes=3), tick=False):
        assert relay_pushes.take_push("there", *late).news == 1
        stored = list(Snapshot.objects.values())
        assert relay_pushes.take_push("there", *late) == relay_pushes.Taken(0, 1, 0, 0)
        assert relay_pushes.take_push("there", *early) == relay_pushes.Taken(0, 1, 0, 0)
    assert list(Snapshot.objects.values()) == stored
    found = queries.find_snapshot(own.key.pk)
    assert found is not None
    assert (found.used, found.odd) == (3 * USD, "")


def test_what_should_not_be_is_seen_and_mended(own: Own) -> None:
    with time_machine.travel(NOW + dt.timedelta(minutes=1), tick=False):
        relay_pushes.take_push("there", *signed(said(own, used=3 * USD)))
    with time_machine.travel(NOW + dt.timedelta(minutes=2), tick=False):
        relay_pushes.take_push("there", *signed(said(own, used=1 * USD, cap=99 * USD)))
        assert queries.odd_snapshots()[0].odd == "fell"
        [row] = own.system.keys.values()
        row.cap = 99 * USD
        work()
        assert row.cap == 5 * USD


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda own: signed(own.body, secret=webhooks.secret_text(b"another")), 401),
        (lambda own: signed(own.body, at=NOW - dt.timedelta(minutes=6)), 401),
        (lambda own: signed(own.body, at=NOW + dt.timedelta(minutes=6)), 401),
        (lambda own: ({}, json.dumps(own.body).encode()), 401),
        (lambda own: (signed(own.body)[0], json.dumps(said(own, used=1)).encode()), 401),
        (lambda own: ({**signed(own.body)[0], "webhook-timestamp": "now"}, b"{}"), 401),
        (lambda own: signed(b"<html>"), 400),
        (lambda own: signed([]), 400),
        (lambda own: signed({**own.body, "type": "keys.gone"}), 400),
        (lambda own: signed({**own.body, "data": {**own.body["data"], "target": "elsewhere"}}), 400),
        (lambda own: signed({**own.body, "timestamp": (NOW + dt.timedelta(days=1)).isoformat()}), 400),
        (lambda own: signed({**own.body, "timestamp": "soon"}), 400),
        (lambda own: signed(said(own, used="much")), 400),
        (lambda own: signed(said(own, used=-1)), 400),
        (lambda own: signed({**own.body, "data": {**own.body["data"], "keys": [{"handle": "x"}]}}), 400),
    ],
)
def test_what_is_not_believed_or_not_read_changes_nothing(own: Own, make: Any, status: int) -> None:
    before = list(Snapshot.objects.values())
    with pytest.raises(relay_pushes.BadPush) as bad:
        relay_pushes.take_push("there", *make(own))
    assert bad.value.status == status
    assert list(Snapshot.objects.values()) == before
    assert not Job.objects.filter(state="ready").exists()


def test_another_unit_is_refused(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "counts_otherwise", lambda name, unit: unit != "CNY")
    with pytest.raises(relay_pushes.BadPush) as bad:
        relay_pushes.take_push("there", *signed(own.body))
    assert bad.value.status == 422


def test_keys_of_others_are_left_alone(own: Own) -> None:
    message = own.body
    [key] = message["data"]["keys"]
    message["data"]["keys"] = [{**key, "handle": "99"}, {**key, "label": "y"}]
    assert relay_pushes.take_push("there", *signed(message)).unknown == 2


def test_who_was_given_no_secret_is_not_listened_to() -> None:
    for build in (webhook.build, litellm.build, newapi.build):
        target = TargetTerms("there", "x", "http://x.test", "X", resale_allowed=True)
        relay = build(Door(timezone.now, target, "c", Line(None)))
        with pytest.raises(relay_pushes.BadPush) as bad:
            relay.pushed(*signed({}, secret=webhooks.secret_text(b"")), "")
        assert bad.value.status == 404


ALERT = {
    "spend": 99.0, "max_budget": 100.0, "token": "", "key_alias": "", "event": "threshold_crossed",
    "event_group": "key", "event_message": "Key Budget: 5% Threshold Crossed",
}  # fmt: skip


def test_a_budget_alert_of_litellm_makes_us_look_and_is_not_believed() -> None:
    target = TargetTerms("there", "litellm", "http://relay.test", "X", resale_allowed=True)
    relay = litellm.build(Door(timezone.now, target, "c", Line(None), push_secret="pass:word"))
    take = relay_pushes.take_push
    row = Delivery.objects.create(
        line_id=1, customer_id=customer(), provisioner="litellm", alias="ord-1", unit="credits", cap=5 * USD,
        state="delivered", target="there", label="tk1-1-1", handle="f" * 64,
    )  # fmt: skip
    body = json.dumps({**ALERT, "token": "f" * 64}).encode()
    with registry.stand_in("there", relay), time_machine.travel(NOW, tick=False):
        assert take("there", {}, body, "pass:word") == relay_pushes.Taken(0, 0, 0, 1)
        take("there", {}, body, "pass:word")
        assert list(Job.objects.filter(kind="sync_key").values_list("payload", flat=True)) == [
            {"delivery_id": row.pk}
        ], "asked for once in ten seconds, however often it is said"
        assert not Snapshot.objects.exists()
        team = json.dumps({**ALERT, "token": None, "event_group": "team"}).encode()
        assert take("there", {}, team, "pass:word") == relay_pushes.Taken(0, 0, 0, 0)
        for wrong in ("", "pass", "pass:w\u00f6rd"):
            with pytest.raises(relay_pushes.BadPush) as bad:
                take("there", {}, body, wrong)
            assert bad.value.status == 401
        with pytest.raises(relay_pushes.BadPush) as bad:
            take("there", {}, b"[1]", "pass:word")
        assert bad.value.status == 400
