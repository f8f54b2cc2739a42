"""Every scheduled job and every page run beside a person whose data may only be stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import threading
from pathlib import Path

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from tollkeeper import flows
from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services
from tollkeeper.accounts.models import User
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.core.terms import MICRO
from tollkeeper.drills import _people
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import restriction
from tollkeeper.kit.job_kinds import LOOPS, SCHEDULES
from tollkeeper.kit.job_runner import claim
from tollkeeper.kit.job_runner import run as run_job
from tollkeeper.kit.jobs import enqueue
from tollkeeper.kit.models import Job
from tollkeeper.kit.trail.models import Disclosure
from tollkeeper.privacy import discovery
from tollkeeper.sales.models import Order, Subscription, SubscriptionPeriod
from tollkeeper.usage import services as usage

SUMMARY = "A restricted person beside a free one: no job and no page changes, mails or sends anything."
_NOT_COUNTED = ("trail.", "sessions.", "usersessions.", "privacy.", "keystore.")
"""The trail notes that something was looked at; requests and restrictions are rights that go on."""
_OUTSIDE = ("catch_up_events", "probe_relays", "sweep_relays", "sweep_payments")
"""Kinds that ask a provider: in a drill there is none."""


def _prints(person: _people.Person) -> dict[str, str]:
    """A fingerprint of each table's rows of one person."""
    made = {}
    for label, entry in discovery.inventory().models.items():
        if not entry.personal or entry.kind == "detached" or label.startswith(_NOT_COUNTED):
            continue
        rows = discovery.rows_of(label, person.subject).order_by("pk").values_list()
        made[label] = hashlib.sha256(repr(list(rows)).encode()).hexdigest()
    return made


def _letters(person: _people.Person) -> int:
    address = person.needles["address"].encode()
    return sum(address in path.read_bytes() for path in Path(settings.MAIL_FOLDER).glob("*.eml"))


def _sent(person: _people.Person) -> int:
    return Disclosure.objects.filter(subject=person.subject, outcome="sent").count()


def _jobs(scene: Scene) -> tuple[int, int]:
    """Run every schedule and what it enqueues, then every loop once. Kinds, failures."""
    for kind in SCHEDULES:
        enqueue(kind, f"drill:{kind}")
    done = 0
    while (context := claim()) is not None:
        run_job(context)
        done += 1
        scene.say(done, len(SCHEDULES), "jobs")
    for loop in LOOPS.values():
        loop.run(threading.Event())
    failed = Job.objects.exclude(state="done").filter(key__startswith="drill:")
    failed = failed.exclude(kind__in=_OUTSIDE)
    return len(SCHEDULES), failed.count()


def _addresses(resolver: URLResolver, head: str = "/") -> list[str]:
    found = []
    for one in resolver.url_patterns:
        path = head + str(one.pattern)
        if isinstance(one, URLResolver):
            found += _addresses(one, path)
        elif isinstance(one, URLPattern) and "<" not in path and "^" not in path:
            found.append(path)
    return found


def _signed_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _pages(person: _people.Person, own: Client, scene: Scene) -> tuple[int, int, int]:
    """Open every page as an operator and as the restricted person, and their own on the desk.

    Pages, failures, and pages of the console that led the person to their rights.
    """
    staff = services.create_person("operator@example.org", None, is_staff=True)
    Authenticator.objects.create(user=staff, type="totp", data={"secret": "x"})
    public = accounts.get_customer(person.customer).public_id
    pages = [path for path in _addresses(get_resolver()) if "logout" not in path]
    desk = [*pages, f"/desk/customers/{public}/"]
    broken, closed = [], 0
    for client, paths in ((_signed_in(staff), desk), (own, pages)):
        for path in paths:
            answer = client.get(path)
            broken += [path] if answer.status_code >= 500 else []
            led = client is own and answer.headers.get("Location") == "/console/privacy/"
            closed += led and path.startswith("/console/")
    for path in broken:
        scene.say(0, 0, f"broken: {path}")
    return len(desk) + len(pages), len(broken), closed


def _renews(person: _people.Person) -> int:
    """A plan that renews by itself, due since yesterday."""
    now = timezone.now()
    order = Order.objects.filter(customer_id=person.customer).earliest("pk")
    line = order.lines.get()
    plan = Subscription.objects.create(
        customer_id=person.customer, plan="house", plan_version=1, price="month", period="month",
        terms=line.terms, title="House", currency="EUR", amount_minor=0, provider="free", state="active",
        anchor_at=now - dt.timedelta(days=32),
    )  # fmt: skip
    SubscriptionPeriod.objects.create(
        subscription=plan, number=0, starts_at=now - dt.timedelta(days=32),
        ends_at=now - dt.timedelta(days=1), order=order, source=f"drill:{plan.pk}",
    )  # fmt: skip
    return plan.pk


def _periods(plan: int) -> int:
    return SubscriptionPeriod.objects.filter(subscription_id=plan).count()


def run(scene: Scene) -> Outcome:
    """Two alike, one of them restricted; what the jobs do to the free one shows that they do something."""
    open_shop()
    flows.register()
    chance = random.Random(scene.seed)  # noqa: S311 - repeatable on purpose
    bound, free = _people.make(1, chance), _people.make(2, chance)
    soon = timezone.now() + dt.timedelta(hours=20)
    for person in (bound, free):
        usage.issue_grant(
            key=f"ends:{person.customer}", customer_id=person.customer, unit="calls", amount=50 * MICRO,
            effective_at=timezone.now() - dt.timedelta(days=60), expires_at=soon, source="drill",
        )  # fmt: skip
    plans = {person.subject: _renews(person) for person in (bound, free)}
    own = _signed_in(User.objects.get(pk=bound.subject))
    restriction.restrict(bound.subject)
    before, letters, sent = _prints(bound), _letters(bound), _sent(bound)
    free_letters = _letters(free)
    kinds, failed = _jobs(scene)
    pages, broken, closed = _pages(bound, own, scene)
    after = _prints(bound)
    changed = sorted(label for label in before if before[label] != after[label])
    wrote = _letters(bound) - letters
    left = _sent(bound) - sent
    touched = len(changed) + wrote + left
    figures: dict[str, Figure] = {
        "jobs": kinds,
        "jobs_failed": failed,
        "pages": pages,
        "pages_broken": broken,
        "pages_closed_to_them": closed,
        "touched": touched,
        "changed_tables": " ".join(changed) or None,
        "letters": wrote,
        "letters_to_the_free_one": _letters(free) - free_letters,
        "sent_out": left,
        "periods_opened": _periods(plans[bound.subject]) - 1,
        "periods_opened_for_the_free_one": _periods(plans[free.subject]) - 1,
        "still_stored": int(User.objects.filter(pk=bound.subject).exists()),
    }
    held = not touched and not failed and not broken and closed > 0
    alive = ("letters_to_the_free_one", "periods_opened_for_the_free_one")
    return Outcome(held and all(int(str(figures[name])) > 0 for name in alive), figures)
