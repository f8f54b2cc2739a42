"""What every provisioner file keeps. A new file is tested by adding a stage to STAGES."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import pytest

from samples.relays.faults import Fault
from samples.relays.litellm import LiteLLM
from samples.relays.newapi import NewAPI
from samples.relays.openrouter import OpenRouter
from samples.relays.own import SECRET, OwnSystem
from samples.relays.relay import Relay
from tests.samples.asgi import call
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery.provisioners import (
    DeadKey,
    Door,
    Mismatch,
    Missing,
    Provisioner,
    ProvisionerError,
    Refused,
    Reply,
    Unsure,
    Wish,
    litellm,
    newapi,
    openrouter,
    webhook,
)
from tollkeeper.kit import plugins

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
USD = 1_000_000


@dataclass
class Line:
    """The way to a stand-in in this process; ``cut`` makes the next answers never come."""

    app: Any
    cut: int = 0
    sent: list[str] = field(default_factory=list)

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        shown = body.decode() if isinstance(body, bytes) else body
        self.sent.append(json.dumps([method, url, shown, query]))
        if self.cut:
            self.cut -= 1
            raise Unsure("the line is cut")
        answer = call(self.app, method, f"{url}?{urlencode(query or {})}", headers=headers, body=body)
        if not answer.whole:
            raise Unsure("the answer broke off")
        return Reply(answer.status, answer.headers, answer.body)


@dataclass
class Stage:
    """A provisioner and what is behind it.

    ``chat(secret)`` uses a sold key and answers whether it was let in; ``keys()`` are the
    labels of all keys there; ``plan(*faults)`` lets it break.
    """

    provisioner: Provisioner
    line: Line
    chat: Callable[[str], bool]
    keys: Callable[[], list[str]]
    plan: Callable[..., None]


def _address(relay: Relay) -> str:
    return "http://relay.test/keys" if isinstance(relay, OwnSystem) else "http://relay.test"


def _relay(relay: Relay, build: Callable[[Door], Provisioner], credential: str, **options: str) -> Stage:
    line = Line(relay.app)
    target = TargetTerms("there", "x", _address(relay), "X", resale_allowed=True, options=options)
    door = Door(lambda: dt.datetime.now(dt.UTC), target, credential, line)

    def chat(secret: str) -> bool:
        body = {"model": "tern-1", "messages": [{"role": "user", "content": "count the terns, please " * 40}]}
        path = relay.chat_paths[0]
        return (
            call(relay.app, "POST", path, headers={"authorization": f"Bearer {secret}"}, body=body).status
            == 200
        )

    return Stage(build(door), line, chat, lambda: [k.name for k in relay.keys.values()], relay.faults.plan)


STAGES: dict[str, Callable[[], Stage]] = {
    "litellm": lambda: _relay(LiteLLM("sk-admin"), litellm.build, "sk-admin"),
    "litellm-strict": lambda: _relay(LiteLLM("sk-admin", refuses_repeats=True), litellm.build, "sk-admin"),
    "newapi": lambda: _relay(NewAPI("tok"), newapi.build, "tok", user="7"),
    "newapi-other-units": lambda: _relay(NewAPI("tok", quota_per_unit=1_000), newapi.build, "tok", user="7"),
    "oneapi": lambda: _relay(NewAPI("tok", one=True), newapi.build, "tok", dialect="oneapi"),
    "openrouter": lambda: _relay(OpenRouter("sk-or"), openrouter.build, "sk-or"),
    "webhook": lambda: _relay(OwnSystem(), webhook.build, SECRET),
}
_secrets = itertools.count(1)


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]()


def wish(label: str = "tk-a1b2-7-1", **more: Any) -> Wish:
    made = Wish(
        label,
        secret=f"sk-chosen-by-us-and-sealed-{next(_secrets):06d}",
        unit="credits",
        cap=5 * USD,
        ends_at=NOW + dt.timedelta(days=30),
        models=("tern-1", "heron-1"),
    )
    return replace(made, **more)


def settle(stage: Stage, asked: Wish, tries: int = 8) -> tuple[Any, list[ProvisionerError]]:
    """Ask again until it is there, as the job does; also what went wrong on the way."""
    wrong: list[ProvisionerError] = []
    for _ in range(tries):
        try:
            return stage.provisioner.provide(asked), wrong
        except ProvisionerError as error:
            wrong.append(error)
    raise AssertionError(f"never settled: {wrong}")


def test_every_file_has_a_stage() -> None:
    files = set(plugins.names("tollkeeper.delivery.provisioners")) - {
        "gate_key"
    }  # tests/delivery/test_house.py
    assert files == {name.partition("-")[0] for name in STAGES} - {"oneapi"}


def test_a_probe_says_what_is_kept(stage: Stage) -> None:
    facts = stage.provisioner.probe()
    assert facts.keeps <= webhook.KEEPS
    assert "cap" in facts.keeps
    assert abs(facts.skew_s) < 5


def test_a_wrong_credential_is_told_and_not_tried_on() -> None:
    for stage in (
        _relay(LiteLLM("right"), litellm.build, "wrong"),
        _relay(NewAPI("right"), newapi.build, "wrong", user="7"),
        _relay(NewAPI("right"), newapi.build, "right", user="8"),
        _relay(OpenRouter("right"), openrouter.build, "wrong"),
        _relay(OwnSystem("right"), webhook.build, "wrong"),
    ):
        with pytest.raises(Refused) as refused:
            stage.provisioner.provide(wish())
        assert refused.value.code == "credential"


def test_a_key_works_and_is_what_was_asked_for(stage: Stage) -> None:
    asked = wish()
    handed = stage.provisioner.provide(asked)
    keeps = stage.provisioner.probe().keeps
    seen = stage.provisioner.read(handed.handle)
    assert stage.chat(handed.secret)
    assert (seen.label, seen.enabled) == (asked.label, True)
    assert abs((seen.cap or 0) - 5 * USD) <= 1000
    assert "models" not in keeps or set(seen.models) == set(asked.models)
    assert seen.ends_at is None or abs(seen.ends_at - asked.ends_at) < dt.timedelta(minutes=5)
    assert handed.secret not in repr(handed)
    assert not handed.adopted


def test_asking_twice_leaves_one_key(stage: Stage) -> None:
    asked = wish()
    first = stage.provisioner.provide(asked)
    second = stage.provisioner.provide(asked)
    assert stage.keys() == [asked.label]
    assert stage.chat(second.secret)
    if stage.provisioner.probe().reads_secret:
        assert (second.handle, second.secret, second.adopted) == (first.handle, first.secret, True)


def test_a_key_without_cap_and_end(stage: Stage) -> None:
    handed = stage.provisioner.provide(wish(cap=None, ends_at=None, models=()))
    seen = stage.provisioner.read(handed.handle)
    assert (seen.cap, seen.ends_at, seen.models, seen.remaining) == (None, None, (), None)


BREAKS = [
    "cut_before", "cut_after", "twice", "forget", "html", "html_after", "status", "status_after", "error_200"
]  # fmt: skip


@pytest.mark.parametrize("do", BREAKS)
@pytest.mark.parametrize("op", ["create", "read", "search", "list", "secret"])
def test_whatever_breaks_one_working_key_is_left(stage: Stage, op: str, do: str) -> None:
    stage.plan(Fault(op, do))
    asked = wish()
    handed, _ = settle(stage, asked)
    assert stage.keys() == [asked.label], "keys were lost or doubled"
    assert stage.chat(handed.secret)


@pytest.mark.parametrize("at", range(10))
def test_a_line_cut_at_any_step_loses_and_doubles_nothing(stage: Stage, at: int) -> None:
    asked = wish()
    real = stage.line.app
    steps = itertools.count()

    async def sometimes(scope: Any, receive: Any, send: Any) -> None:
        if next(steps) == at:
            await real(scope, receive, _nowhere)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise ConnectionError
        await real(scope, receive, send)

    stage.line.app = sometimes
    handed, _ = settle(stage, asked)
    stage.line.app = real
    assert stage.keys() == [asked.label]
    assert stage.chat(handed.secret)


async def _nowhere(message: Any) -> None:
    """An answer that nobody gets."""


@pytest.mark.parametrize("do", ["drop_restrictions", "short_cap"])
def test_what_was_not_kept_once_is_mended(stage: Stage, do: str) -> None:
    stage.plan(Fault("create", do))
    asked = wish()
    handed, _ = settle(stage, asked)
    seen = stage.provisioner.read(handed.handle)
    assert abs((seen.cap or 0) - 5 * USD) <= 1000
    assert seen.enabled


@pytest.mark.parametrize("do", ["drop_restrictions", "short_cap"])
def test_what_is_never_kept_is_stopped_and_never_handed_over(stage: Stage, do: str) -> None:
    stage.plan(Fault("create", do, times=99), Fault("update", do, times=99))
    asked = wish()
    kept_anyway = do == "drop_restrictions" and "models" not in stage.provisioner.probe().keeps
    if kept_anyway and stage.provisioner.name != "openrouter":
        return
    with pytest.raises(Mismatch) as wrong:
        stage.provisioner.provide(asked)
    assert wrong.value.fields
    assert not stage.provisioner.read(wrong.value.handle).enabled


def test_a_key_that_does_not_work_is_never_handed_over(stage: Stage) -> None:
    stage.plan(Fault("create", "bad_secret"))
    asked = wish()
    handed, wrong = settle(stage, asked)
    assert [type(error) for error in wrong] == [DeadKey]
    assert stage.keys() == [asked.label]
    assert stage.chat(handed.secret)


def test_use_is_seen(stage: Stage) -> None:
    handed = stage.provisioner.provide(wish())
    assert stage.provisioner.read(handed.handle).used == 0
    assert all(stage.chat(handed.secret) for _ in range(40)), "enough for the coarsest unit"
    seen = stage.provisioner.read(handed.handle)
    assert seen.used is not None
    assert seen.used > 0 or seen.delay_s > 0
    assert seen.as_of >= NOW


def test_renewing_writes_absolute_amounts(stage: Stage) -> None:
    handed = stage.provisioner.provide(wish())
    later = NOW + dt.timedelta(days=60)
    for _ in range(2):
        seen = stage.provisioner.renew(handed.handle, wish(cap=12 * USD, ends_at=later))
    assert abs((seen.cap or 0) - 12 * USD) <= 1000
    keeps = stage.provisioner.probe().keeps
    assert "ends_at" not in keeps or (seen.ends_at and abs(seen.ends_at - later) < dt.timedelta(minutes=5))
    assert "models" not in keeps or set(seen.models) == {"tern-1", "heron-1"}
    assert stage.chat(handed.secret)


@pytest.mark.parametrize("do", ["cut_after", "cut_before", "html_after", "status"])
def test_renewing_after_a_break_ends_at_the_same_amount(stage: Stage, do: str) -> None:
    handed = stage.provisioner.provide(wish())
    stage.plan(Fault("update", do))
    ends = NOW + dt.timedelta(days=30)
    for _ in range(4):
        try:
            seen = stage.provisioner.renew(handed.handle, wish(cap=9 * USD, ends_at=ends))
            break
        except ProvisionerError:
            stage.provisioner.resume(handed.handle)
    assert abs((seen.cap or 0) - 9 * USD) <= 1000
    assert stage.chat(handed.secret)


def test_a_stopped_key_is_refused_until_it_goes_on(stage: Stage) -> None:
    handed = stage.provisioner.provide(wish())
    for _ in range(2):
        assert not stage.provisioner.suspend(handed.handle).enabled
    assert not stage.chat(handed.secret)
    for _ in range(2):
        assert stage.provisioner.resume(handed.handle).enabled
    assert stage.chat(handed.secret)


def test_a_withdrawn_key_is_gone(stage: Stage) -> None:
    handed = stage.provisioner.provide(wish())
    for _ in range(2):
        stage.provisioner.withdraw(handed.handle)
    assert not stage.chat(handed.secret)
    assert stage.keys() == []
    for verb in (stage.provisioner.read, stage.provisioner.suspend, stage.provisioner.resume):
        with pytest.raises(Missing):
            verb(handed.handle)


def test_forgetting_leaves_nothing(stage: Stage) -> None:
    handed = stage.provisioner.provide(wish())
    stage.provisioner.forget(handed.handle)
    assert stage.keys() == []


def test_listing_shows_our_own_and_nobody_elses(stage: Stage) -> None:
    for label in ("tk-mine-1-1", "tk-mine-2-1", "tk-other-1-1"):
        stage.provisioner.provide(wish(label))
    stage.provisioner.suspend(stage.provisioner.find("tk-mine-2-1")[0].handle)
    found = {seen.label: seen.enabled for seen in stage.provisioner.list("tk-mine-")}
    assert found == {"tk-mine-1-1": True, "tk-mine-2-1": False}


def test_labels_are_found_exactly(stage: Stage) -> None:
    stage.provisioner.provide(wish("tk-a-1-1"))
    stage.provisioner.provide(wish("tk-a-1-10"))
    [only] = stage.provisioner.find("tk-a-1-1")
    assert only.label == "tk-a-1-1"
    assert stage.provisioner.find("tk-a-1") == ()


def test_more_keys_than_a_page_are_listed() -> None:
    for name in ("litellm", "newapi", "oneapi", "openrouter", "webhook"):
        stage = STAGES[name]()
        for number in range(205):
            stage.provisioner.make(wish(f"tk-m-{number}-1"))  # type: ignore[attr-defined]
        assert len(list(stage.provisioner.list("tk-m-"))) == 205


def test_nothing_personal_crosses(stage: Stage) -> None:
    stage.provisioner.provide(wish())
    stage.provisioner.probe()
    said = "\n".join(stage.line.sent)
    assert "@" not in said
    assert "customer" not in said


def test_a_page_of_html_is_no_answer(stage: Stage) -> None:
    stage.plan(Fault("*", "html", times=99))
    with pytest.raises(Unsure):
        stage.provisioner.provide(wish())
