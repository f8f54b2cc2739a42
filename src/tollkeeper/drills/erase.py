"""A shop full of people, a part of them erased while workers are killed at every step, some under hold."""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
import uuid
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.models import Sum
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills import _people, _processors
from tollkeeper.drills._dumps import scan_backups
from tollkeeper.drills._kill_points import KillPoints, in_child
from tollkeeper.drills._people import Person
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import erasure, restoring
from tollkeeper.kit import append_only, audit, backups, lockdown, sealed
from tollkeeper.kit.job_runner import claim
from tollkeeper.kit.job_runner import run as run_job
from tollkeeper.kit.keystore import vault
from tollkeeper.kit.models import Job
from tollkeeper.privacy import discovery, holds
from tollkeeper.privacy.canary import Hit, Scanner
from tollkeeper.privacy.case_models import Forgetting

SUMMARY = (
    "People erased while the worker is killed at every step: found nowhere, no sum and no other changed."
)


def _search(people: list[Person]) -> list[str]:
    """Where values of erased people lie: tables, sessions, logs, journals, mails, backups."""
    scanner = Scanner([value for one in people for value in one.needles.values()])
    hits: list[Hit] = [hit for alias in ("default", "keystore") for hit in scanner.scan_database(alias)]
    ids = Scanner([text for one in people for text in (one.subject.hex, str(one.subject))])
    hits += list(ids.scan_database("default"))
    for connection in connections.all():
        connection.close()
    hits += [*scanner.scan_folder(settings.ENV.home), *scan_backups(scanner)]
    return sorted({hit.place for hit in hits})


def _rows(people: list[Person]) -> dict[uuid.UUID, dict[str, int]]:
    labels = [label for label, entry in discovery.inventory().models.items() if entry.personal]
    return {
        one.subject: {label: discovery.rows_of(label, one.subject).count() for label in labels}
        for one in people
    }


def _damaged(before: dict[uuid.UUID, dict[str, int]], people: list[Person]) -> int:
    after = _rows(people)
    unread = sum(accounts.find_email(one.subject) != one.needles["address"] for one in people)
    return unread + sum(before[one.subject] != after[one.subject] for one in people)


def _work() -> bool:
    """Do one erasure as a worker does; False if there was none."""
    context = claim(["erase_person"])
    if context is None:
        return False
    run_job(context)
    return True


def _die(points: KillPoints) -> Any:
    vault.forget_keys()
    with points.watching():
        return [_work(), points.count]


def _take_over() -> None:
    """What another worker does when the lease of the dead one is over."""
    Job.objects.filter(state="running").update(
        lease_until=timezone.now() - dt.timedelta(seconds=1), attempts=1
    )
    Job.objects.filter(kind="erase_person", state="ready").update(run_at=timezone.now())


def _erase_killing(people: list[Person], scene: Scene) -> tuple[int, int, list[float]]:
    """Erase people; each worker dies one instant later than the one before. Kills, instants, seconds."""
    kills, instants, at, took = 0, 0, 1, []
    for number, one in enumerate(people):
        scene.say(number, len(people), "people erased")
        erasure.close_account(one.subject, at_once=True)
        finished, told = in_child(lambda at=at: _die(KillPoints(at)))  # type: ignore[misc]
        if finished:
            instants, at = max(instants, told[1]), 1
        else:
            kills, at = kills + 1, at + (3 if scene.quick else 1)
            _take_over()
        began = time.perf_counter()
        while _work():
            pass
        took.append(time.perf_counter() - began)
    return kills, instants, took


def run(scene: Scene) -> Outcome:
    """Fill a shop, back it up, erase, search; release the holds, search; restore the backup, search.

    Meanwhile a relay and a payment provider, whose lines are cut, are told to forget whom they knew.
    """
    open_shop()
    logging.getLogger("tollkeeper").setLevel(logging.CRITICAL)  # what breaks here is meant to
    with _processors.others(scene.seed) as there:
        return _play(scene, there)


def _play(scene: Scene, there: _processors.Others) -> Outcome:
    chance = random.Random(scene.seed)  # noqa: S311 - repeatable on purpose
    count, victims, held_count = (14, 8, 2) if scene.quick else (1_000, 100, 10)
    people = []
    for number in range(count):
        scene.say(number, count, "people live")
        people.append(_people.make(number, chance))
        there.give(people[-1], number)
    gone, others = people[:victims], people[victims:]
    held, review = gone[:held_count], timezone.now().date() + dt.timedelta(days=60)
    orders = [
        holds.hold(one.subject, "orders", ground="claim", reviewer=others[0].subject, review_on=review)
        for one in held
    ]
    backups.make(timezone.now())
    sums, rows = _people.sums(), _rows(others)
    papers = {one: _people.papers_of(one) for one in gone}
    held_rows = {one.subject: _held_rows(one) for one in held}

    kills, instants, took = _erase_killing(gone, scene)
    _processors.tell_all(there)
    kept_back = held_count - there.holding(held)
    early = _search(gone[held_count:])
    lost = sum(_held_rows(one) != held_rows[one.subject] for one in held)
    for order in orders:
        erasure.release_hold(order)
    while _work():
        pass
    _processors.tell_all(there)
    hits = _search(gone)
    untold, elsewhere, asked = _processors.untold(), there.holding(gone), _asked_again()
    unnamed = _people.vault_lost(papers)
    damaged = _damaged(rows, others)
    changed = sum(_people.sums().get(name) != value for name, value in sums.items())

    lockdown.lock("drill")
    backups.lay_back(backups.list_backups()[-1])
    call_command("migrate", interactive=False, verbosity=0)
    append_only.install()
    restoring.replay()
    _processors.tell_all(there)
    untold, elsewhere = untold + _processors.untold(), elsewhere + there.holding(gone)
    again = _search(gone)
    unnamed += _people.vault_lost(papers)
    damaged += sum(accounts.find_email(one.subject) != one.needles["address"] for one in others)
    changed += sum(_people.sums().get(name) != value for name, value in sums.items())

    for place in sorted({*early, *hits, *again})[:20]:
        scene.say(0, 0, f"found in {place}")
    ordered = sorted(took)
    figures: dict[str, Figure] = {
        "people": count,
        "erased": len(gone),
        "under_hold": len(held),
        "kills": kills,
        "instants": instants,
        "hits": len(early) + len(hits) + len(again),
        "first_hit": next(iter([*early, *hits, *again]), None),
        "hits_in_restored_backup": len(again),
        "sums_changed": changed,
        "others_damaged": damaged,
        "held_rows_lost": lost,
        "documents": sum(map(len, papers.values())),
        "buyers_lost_from_the_vault": unnamed,
        "processors_told": Forgetting.objects.filter(state="told").count(),
        "asked_again": asked + _asked_again(),
        "processors_untold": untold,
        "left_elsewhere": elsewhere,
        "told_in_spite_of_a_hold": kept_back,
        "others_lost_elsewhere": len(others) - there.holding(others),
        "keys_left": sum(not sealed.destroyed([one.subject]) for one in gone),
        "trail_ok": int(audit.verify_trail().ok),
        "p95_s": round(ordered[int(len(ordered) * 0.95)], 3),
    }
    rows_lost = ("held_rows_lost", "buyers_lost_from_the_vault")
    elsewhere_bad = (
        "processors_untold",
        "left_elsewhere",
        "told_in_spite_of_a_hold",
        "others_lost_elsewhere",
    )
    bad = ("hits", "sums_changed", "others_damaged", "keys_left", *rows_lost, *elsewhere_bad)
    played = kills > 0 and figures["processors_told"] and figures["asked_again"]
    return Outcome(
        not any(figures[name] for name in bad) and bool(figures["trail_ok"]) and bool(played), figures
    )


def _asked_again() -> int:
    return int(Forgetting.objects.aggregate(n=Sum("tries"))["n"] or 0)


def _held_rows(one: Person) -> dict[str, int]:
    return {label: discovery.rows_of(label, one.subject).count() for label in holds.tables_of("orders")}
