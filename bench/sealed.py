"""What sealing costs: per field, and per row of a list, beside plain columns of the same table.

The book is SQLite in a scratch home; every figure is the median of rounds that run each
variant once, so that a busy moment hits all alike.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable

from allauth.account.models import EmailAddress
from django.core.management import call_command

from tollkeeper.accounts import queries, services
from tollkeeper.accounts.models import User
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.kit import sealed
from tollkeeper.kit.keystore import ring, vault

SUMMARY = "Microseconds per sealed field and per listed row, with warm and cold keys, beside plain ones."


def _us(what: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    what()
    return (time.perf_counter() - began) / count * 1e6


def run(scene: Scene) -> Outcome:
    """Measure; ``ok``: a listed row costs at most 3 times a plain one, 8 times with cold keys preloaded."""
    call_command("migrate", database="keystore", interactive=False, verbosity=0)
    call_command("migrate", interactive=False, verbosity=0)
    people = 300 if scene.quick else 3_000
    rounds = 3 if scene.quick else 7
    for number in range(people):
        scene.say(number, people, "people")
        user = services.create_person(f"person{number}@example.org", None)
        services.set_nickname(user.pk, f"Nick {number}")
    ids = list(User.objects.values_list("pk", flat=True))
    subject = uuid.uuid4()
    token = sealed.seal(subject, "a value of thirty-two characters", "bench.field")
    fields = 2_000

    def each(work: Callable[[], object]) -> Callable[[], object]:
        return lambda: [work() for _ in range(fields)]

    def cold() -> list[User]:
        vault.forget_keys()
        sealed.preload(ids)
        return list(User.objects.all())

    def cold_without_preload() -> list[User]:
        vault.forget_keys()
        return list(User.objects.all())

    measures: dict[str, tuple[Callable[[], object], int]] = {
        "seal_us": (
            each(lambda: sealed.seal(subject, "a value of thirty-two characters", "bench.field")),
            fields,
        ),
        "open_us": (each(lambda: sealed.open_sealed(subject, token, "bench.field")), fields),
        "blind_us": (each(lambda: ring.current().blind("person@example.org", "bench")), fields),
        "row_plain_us": (lambda: list(User.objects.defer("nickname")), people),
        "row_warm_us": (lambda: list(User.objects.all()), people),
        "row_cold_preloaded_us": (cold, people),
        "row_cold_us": (cold_without_preload, people),
        "find_by_address_us": (
            lambda: [EmailAddress.objects.get(email=f"person{n}@example.org") for n in range(100)],
            100,
        ),
        "find_plain_us": (lambda: [EmailAddress.objects.get(pk=n + 1) for n in range(100)], 100),
        "addresses_of_list_us": (lambda: queries.emails_for(range(1, 2)), 1),
    }
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds):
        scene.say(number, rounds, "rounds")
        for name, (work, count) in measures.items():
            found[name].append(_us(work, count))
    figures: dict[str, Figure] = {name: round(statistics.median(values), 2) for name, values in found.items()}
    began = time.perf_counter()
    vault.destroy(ids[0])
    figures["destroy_ms"] = round((time.perf_counter() - began) * 1e3, 2)
    figures["rows"] = people
    warm, plain, cold_row = (
        statistics.median(found[name]) for name in ("row_warm_us", "row_plain_us", "row_cold_preloaded_us")
    )
    figures["sealed_field_in_a_list_us"] = round(warm - plain, 2)
    return Outcome(warm < 3 * plain and cold_row < 8 * plain, figures)
