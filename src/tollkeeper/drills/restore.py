"""Erases people after backups were made, lays the oldest and the newest back, looks who came back."""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.config.wsgi import application
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._dumps import scan_backups
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import erasure, restoring
from tollkeeper.gate import options
from tollkeeper.kit import append_only, backups, erasure_journal, lockdown, sealed
from tollkeeper.privacy.canary import Scanner

SUMMARY = "Oldest and newest backup laid back: locked until erasures are replayed, nobody revived."


def _person(number: int) -> tuple[uuid.UUID, str]:
    address = f"canary.{number}.{uuid.uuid4().hex[:12]}@example.org"
    user = accounts.create_person(address, None)
    accounts.ensure_customer(user)
    accounts.set_nickname(user.pk, f"Nick {uuid.uuid4().hex}")
    return user.pk, address


def _refusals() -> int:
    """How many of web, gate and worker refuse to serve a locked home; three is all."""
    answers: list[str] = []
    b"".join(application({"REQUEST_METHOD": "GET"}, lambda status, head: answers.append(status)))
    refused = int(answers[:1] == ["503 Service Unavailable"])
    os.environ["TOLLKEEPER_HOME"] = str(settings.ENV.home)
    try:
        options.read()
    except options.BadOptions:
        refused += 1
    return refused + restoring.lock_if_restored()


def _lay_back(one: backups.Backup) -> None:
    lockdown.lock(one.name)
    backups.lay_back(one)
    call_command("migrate", interactive=False, verbosity=0)
    append_only.install()


def run(scene: Scene) -> Outcome:
    """Back up, erase, back up, erase; then each backup is laid back over the book."""
    open_shop()
    now = timezone.now()
    count = 12 if scene.quick else 200
    people = [_person(number) for number in range(count)]
    third = count // 3
    backups.make(now - dt.timedelta(days=20))
    for subject, _ in people[:third]:
        erasure.erase(subject)
    backups.make(now)
    for subject, _ in people[third : 2 * third]:
        erasure.erase(subject)
    closed = people[-1][0]
    erasure.close_account(closed)
    gone = people[: 2 * third]
    found = backups.list_backups()
    revived = locked = unreadable = 0
    hits: list[str] = []
    took: list[float] = []
    before = came = 0
    for one in (found[0], found[-1]):
        began = time.perf_counter()
        _lay_back(one)
        came += len(restoring.revived())
        locked += _refusals()
        done = restoring.replay()
        took.append(time.perf_counter() - began)
        before += done.erased
        revived += User.objects.filter(pk__in=[subject for subject, _ in gone]).count() + done.revived
        unreadable += sum(not sealed.destroyed([subject]) for subject, _ in gone)
        scanner = Scanner([address for _, address in gone])
        hits += [hit.place for alias in ("default", "keystore") for hit in scanner.scan_database(alias)]
        if User.objects.get(pk=closed).is_active:
            hits.append("an account that was closed is open again")
        locked_after = lockdown.locked()
        revived += locked_after
        scene.say(len(took), 2, "backups")
    for connection in connections.all():
        connection.close()
    texts = Scanner([address for _, address in people])
    dumps = [hit.place for hit in [*texts.scan_folder(backups.folder()), *scan_backups(texts)]]
    left = User.objects.count()
    alive = Client().get("/healthz").status_code
    figures: dict[str, Figure] = {
        "people": count,
        "erased": len(gone),
        "backups": len(found),
        "in_the_backups_again": came,
        "erased_again": before,
        "revived": revived,
        "hits": len(hits),
        "clear_addresses_in_dumps": len(dumps),
        "keys_not_destroyed": unreadable,
        "refused_while_locked": locked,
        "journal_lines": len(erasure_journal.latest()),
        "others_left": left,
        "window_days": backups.window_days(now),
        "s": round(max(took), 2),
    }
    ok = not (revived or hits or dumps or unreadable) and locked == 6 and came > third
    return Outcome(ok and left == count - len(gone) and alive == 200, figures)
