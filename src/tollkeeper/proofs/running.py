"""Runs the probes of the shop's promises and says what came of them."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from tollkeeper import proofs
from tollkeeper.core.refusal import Refused
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken, NotUsed, Probe, known, probes_of
from tollkeeper.proofs.vouching import Standing, standing

PROVEN, BROKEN, ATTESTED, NOT_USED = "PROVEN", "BROKEN", "ATTESTED", "NOT-USED"
_RANK = (NOT_USED, PROVEN, ATTESTED, BROKEN)
"""What a promise with several probes comes to: the last of their outcomes in this order."""


@dataclass(frozen=True, slots=True)
class Row:
    """One promise in one run. ``evidence`` holds facts only, ``at`` is an ISO instant."""

    id: str
    status: str
    section: str
    evidence: Mapping[str, Any]
    at: str
    ms: int


class UnknownPromise(Refused):
    """Ids that this shop's policy does not promise; the text names them."""


def load_probes() -> None:
    """Import every family of probes: each module of the package is one."""
    for module in pkgutil.iter_modules(proofs.__path__):
        importlib.import_module(f"{proofs.__name__}.{module.name}")


def run(ids: Iterable[str] | None = None) -> list[Row]:
    """Prove the promises of the shop's policy, all or those of ``ids``, in the policy's order.

    Raises :class:`UnknownPromise`, or ``BadPolicy`` where the policy itself cannot be read.
    """
    load_probes()
    context = Context()
    promised = {name: one.section for name, one in context.policy.promises.items()}
    wanted = list(ids) if ids is not None else []
    strange = [name for name in wanted if name not in promised]
    if strange:
        raise UnknownPromise(f"this shop does not promise {', '.join(strange)}")
    with serving(OWN):  # probes read everything
        words = standing(context.policy, context.today)
        return [
            _prove(name, section, context, words.get(name))
            for name, section in promised.items()
            if not wanted or name in wanted
        ]


def _prove(name: str, section: str, context: Context, word: Standing | None) -> Row:
    started = time.perf_counter()
    found = probes_of(name)
    status, facts = NOT_USED, dict[str, Any]()
    if not found:
        status, facts = BROKEN, {"why": "no probe shows this promise"}
    for one in found:
        outcome, more = _ask(one, context)
        facts.update(more)
        status = max(status, outcome, key=_RANK.index)
    if word is not None:
        outcome, more = _vouched(word)
        facts = {**more, **facts}  # what a probe found wrong is told first
        status = max(status, outcome, key=_RANK.index)
    at = timezone.now().isoformat(timespec="milliseconds")
    return Row(name, status, section, facts, at, round((time.perf_counter() - started) * 1000))


def _ask(function: Probe, context: Context) -> tuple[str, dict[str, Any]]:
    try:
        result = function(context)
    except Broken as broken:
        return BROKEN, {"why": str(broken), **broken.facts}
    except NotUsed as unused:
        return NOT_USED, {"why": str(unused), **unused.facts}
    except DatabaseError as error:
        return BROKEN, {"why": f"the probe could not run: {type(error).__name__}"}
    except Exception as error:  # noqa: BLE001 - whatever stopped the probe, the promise is not shown
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_name}:{place.tb_lineno}" if place else ""
        return BROKEN, {"why": f"the probe could not run: {type(error).__name__} in {where}"}
    return PROVEN, dict(result)


def _vouched(standing: Standing) -> tuple[str, dict[str, Any]]:
    """What a person's word adds: who (a role and a pseudonym), since when, until when."""
    word = standing.word
    facts: dict[str, Any] = {} if word is None else {
        "role": word.role,
        "who": word.by,
        "since": str(word.since),
        "until": str(word.until),
        "audit_entry": word.entry,
    }  # fmt: skip
    if standing.why:
        return BROKEN, {"why": standing.why, **facts}
    return ATTESTED, facts


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows of each status."""
    made = {"proven": 0, "attested": 0, "broken": 0, "not_used": 0}
    for row in rows:
        made[row.status.lower().replace("-", "_")] += 1
    return made


def shown() -> frozenset[str]:
    """Promises that a probe shows: what a policy may promise."""
    load_probes()
    return frozenset(known())
