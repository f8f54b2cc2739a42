"""Every verb of every provisioner: broken anywhere and asked again, it ends at the same."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from samples.relays.faults import Fault
from samples.relays.own import SECRET, OwnSystem
from tests.contracts.test_provisioners import USD, Line, Stage, _nowhere, _relay, stage, wish
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery.provisioners import (
    Door,
    Mismatch,
    Provisioner,
    ProvisionerError,
    litellm,
    newapi,
    webhook,
)

__all__ = ["stage"]


NARROW: dict[str, Any] = {
    "ip_ranges": ("203.0.113.0/24",), "requests_per_minute": 60, "tokens_per_minute": 40_000, "concurrency": 8
}  # fmt: skip


def test_renewing_writes_every_restriction_again(stage: Stage) -> None:
    handed = stage.provisioner.provide(wish(**NARROW))
    other = wish(models=("tern-1",), **{**NARROW, "requests_per_minute": 90, "concurrency": 4})
    for asked in (wish(cap=12 * USD, **NARROW), other):
        seen = stage.provisioner.renew(handed.handle, asked)
        for name in stage.provisioner.probe().keeps - {"cap", "ends_at"}:
            assert getattr(seen, name) == getattr(asked, name), name
        assert stage.provisioner.differs(seen, asked) == ()
    assert stage.chat(handed.secret)


def test_what_the_operators_system_does_not_keep_is_ours_to_see_to() -> None:
    def begin() -> Stage:
        return _relay(OwnSystem(kept=("cap", "models")), webhook.build, SECRET)

    stage = begin()
    handed = stage.provisioner.provide(wish(**NARROW))
    assert stage.chat(handed.secret)
    stage = begin()
    stage.plan(Fault("create", "short_cap", times=99), Fault("update", "short_cap", times=99))
    with pytest.raises(Mismatch) as wrong:
        stage.provisioner.provide(wish(**NARROW))
    assert wrong.value.fields == ("cap",)


def _again(do: Callable[[], Any], tries: int = 6) -> Any:
    """Do it until it is done, as jobs do."""
    for _ in range(tries):
        try:
            return do()
        except ProvisionerError:
            continue
    raise AssertionError("never done")


VERBS: dict[str, tuple[Callable[[Provisioner, str], Any], str]] = {
    "probe": (lambda there, handle: there.probe(), "works"),
    "find": (lambda there, handle: there.find("tk-a1b2-7-1"), "works"),
    "read": (lambda there, handle: there.read(handle), "works"),
    "list": (lambda there, handle: list(there.list("tk-a1b2")), "works"),
    "renew": (lambda there, handle: there.renew(handle, wish(cap=9 * USD)), "raised"),
    "suspend": (lambda there, handle: there.suspend(handle), "stopped"),
    "resume": (lambda there, handle: there.resume(handle), "works"),
    "withdraw": (lambda there, handle: there.withdraw(handle), "gone"),
    "forget": (lambda there, handle: there.forget(handle), "gone"),
}
"""Every verb but ``provide``, and what is so after it was asked until it answered."""


def test_every_verb_of_the_protocol_is_broken_here() -> None:
    verbs = {name for name, one in vars(Provisioner).items() if callable(one) and name[0] != "_"}
    assert verbs == {*VERBS, "provide", "differs", "pushed"}


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("sent", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_ends_at_the_same_wherever_the_line_is_cut(
    stage: Stage, verb: str, sent: bool, at: int
) -> None:
    handed = stage.provisioner.provide(wish())
    if verb == "resume":
        stage.provisioner.suspend(handed.handle)
    do, then = VERBS[verb]
    real, steps = stage.line.app, itertools.count()

    async def sometimes(scope: Any, receive: Any, send: Any) -> None:
        if next(steps) != at:
            await real(scope, receive, send)
            return
        if sent:
            await real(scope, receive, _nowhere)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ConnectionError

    stage.line.app = sometimes
    _again(lambda: do(stage.provisioner, handed.handle))
    if verb == "renew":  # what was stopped to be written is let go on by the job that aligns
        _again(lambda: stage.provisioner.resume(handed.handle))
    stage.line.app = real
    assert stage.chat(handed.secret) is (then in ("works", "raised"))
    if then == "gone":
        assert stage.keys() == []
        return
    [seen] = stage.provisioner.find("tk-a1b2-7-1")
    assert abs((seen.cap or 0) - (9 if then == "raised" else 5) * USD) <= 1000


def test_what_is_served_is_said_by_the_file_unless_the_shop_says_otherwise(stage: Stage) -> None:
    assert "chat" in stage.provisioner.serves <= {"chat", "responses", "messages"}
    assert litellm.build(door(serves="chat messages")).serves == {"chat", "messages"}
    assert newapi.build(door(dialect="oneapi")).serves == {"chat"}


def door(**options: str) -> Door:
    target = TargetTerms("there", "x", "http://relay.test", "X", resale_allowed=True, options=options)
    return Door(lambda: dt.datetime.now(dt.UTC), target, "c", Line(None))


def test_a_wallet_is_watched_where_there_is_one(stage: Stage) -> None:
    before = stage.provisioner.probe().wallet
    if stage.provisioner.name == "litellm":
        assert before is None
        return
    assert before == 1_000 * USD
    handed = stage.provisioner.provide(wish())
    assert all(stage.chat(handed.secret) for _ in range(40))
    coarse = getattr(stage.provisioner, "step_micro", 1) > 100  # a chat costs less than its smallest amount
    assert (stage.provisioner.probe().wallet or 0) < before + coarse
