"""Others who hold something of the people of a drill: keys at a relay, payers at a payment provider.

Every third answer is lost, before or after it took effect, as chance wants it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils import timezone

from samples.relays.litellm import LiteLLM
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import registry as relays
from tollkeeper.delivery.models import Delivery
from tollkeeper.delivery.provisioners import Door, Provisioner, Reply, Unsure, Wish, litellm
from tollkeeper.drills._in_process import Line
from tollkeeper.drills._people import Person
from tollkeeper.kit.job_runner import claim
from tollkeeper.kit.job_runner import run as run_job
from tollkeeper.kit.models import Job
from tollkeeper.payments import registry as payments
from tollkeeper.payments.models import Payer
from tollkeeper.payments.providers import Missing, Provider
from tollkeeper.payments.providers import Unsure as NoAnswer
from tollkeeper.privacy.case_models import Forgetting

RELAY = "drill-relay"
_MOST_ROUNDS = 60


def _cut(chance: random.Random, act: Callable[[], Any], error: type[Exception]) -> Any:
    """What ``act`` answers; every third time the line is cut instead, before it or after."""
    dice = chance.randrange(6)
    if dice == 0:
        raise error("cut")
    answer = act()
    if dice == 1:
        raise error("cut")
    return answer


@dataclass
class _Flaky:
    """The line to the relay; whole while keys are made."""

    line: Line
    chance: random.Random
    broken: bool = False

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        def ask() -> Reply:
            return self.line(method, url, headers=headers, body=body, query=query)

        return cast("Reply", _cut(self.chance, ask, Unsure)) if self.broken else ask()


@dataclass
class _Payers:
    """What erasing asks of a payment provider."""

    chance: random.Random
    name: str = "stripe"
    known: set[str] = field(default_factory=set)

    def forget(self, payer: str) -> None:
        """Delete a payer; raises ``Missing`` for one that is gone."""

        def delete() -> None:
            if payer not in self.known:
                raise Missing("no_such_payer")
            self.known.discard(payer)

        _cut(self.chance, delete, NoAnswer)

    def cancel(self, reference: str, *, at_end: bool) -> None:
        """End a plan."""
        _cut(self.chance, lambda: None, NoAnswer)


@dataclass
class Others:
    """The relay and the payment provider of a drill."""

    relay: LiteLLM
    there: Provisioner
    line: _Flaky
    payers: _Payers

    def give(self, person: Person, number: int) -> None:
        """A key at the relay, and a payer."""
        label = f"tk-drill-{person.customer}"
        handed = self.there.provide(Wish(label, f"sk-{person.customer:040d}", "credits", cap=1_000_000))
        Delivery.objects.create(
            line_id=10_000_000 + number, customer_id=person.customer, provisioner="relay", state="delivered",
            alias=f"drill-{number}", unit="credits", target=RELAY, label=label, handle=handed.handle,
        )  # fmt: skip
        self.payers.known |= set(self._payers_of(person))

    def _payers_of(self, person: Person) -> list[str]:
        return list(Payer.objects.filter(customer_id=person.customer).values_list("reference", flat=True))

    def holding(self, people: list[Person]) -> int:
        """How many keys of these people the relay has."""
        labels = {f"tk-drill-{one.customer}" for one in people}
        return sum(key.name in labels for key in self.relay.keys.values())


@contextmanager
def others(seed: int) -> Iterator[Others]:
    """Put both in their places for the length of a drill."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    relay = LiteLLM("adm")
    relay.spend_delay_s = 0
    line, payers = _Flaky(Line(relay.app), chance), _Payers(chance)
    target = TargetTerms(RELAY, "litellm", "http://relay.drill", "X", resale_allowed=True)
    there = litellm.build(Door(timezone.now, target, "adm", line))
    with relays.stand_in(RELAY, there), payments.stand_in(cast("Provider", payers)):
        yield Others(relay, there, line, payers)


def tell_all(there: Others) -> int:
    """Tell everybody who waits to be told, again until there is an answer; how many rounds it took."""
    there.line.broken = True
    for turn in range(_MOST_ROUNDS):
        Job.objects.filter(kind="tell_processor", state="ready").update(run_at=timezone.now())
        context = claim(["tell_processor"])
        if context is None:
            return turn
        while context is not None:
            run_job(context)
            context = claim(["tell_processor"])
    return _MOST_ROUNDS


def untold() -> int:
    """Duties that nobody carried out, and names of erased people that were not forgotten with them."""
    left = Forgetting.objects.exclude(state__in=("told", "contract"))
    return left.count() + Forgetting.objects.filter(state="told").exclude(reference="").count()
