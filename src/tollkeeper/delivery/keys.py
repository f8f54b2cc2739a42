"""Verbs on keys: make, narrow, stop, let go on, replace, revoke."""

from __future__ import annotations

import datetime as dt
import secrets

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.cards import strike_cards
from tollkeeper.core.keys import KeyText, digest, mint, redact
from tollkeeper.core.terms import KeyTerms, encode
from tollkeeper.delivery import relays
from tollkeeper.delivery.directory import live_terms, push
from tollkeeper.delivery.keyring import BadWish, Own, best, check_own
from tollkeeper.delivery.models import Delivery, Key, Suspension

MOST_KEYS = 50
"""Keys a customer can have at once."""
GONE = ("revoked", "expired")
PAUSED = "paused"
"""Reason of a suspension: its customer wants it so for a while."""


class NoKey(Exception):
    """The customer has no such key."""


class NothingDelivered(Exception):
    """There is no plan in this unit that a key could be made for."""


@transaction.atomic
def create_key(  # noqa: PLR0913 - each is a wish of its own
    customer_id: int,
    *,
    name: str,
    terms: KeyTerms | None = None,
    unit: str = "",
    own: Own | None = None,
    test: bool = False,
    expires_at: dt.datetime | None = None,
    replaces: int | None = None,
) -> tuple[int, KeyText]:
    """Make a key; answers its id and its text, which is nowhere else and cannot be had again.

    ``terms`` is what it may do as long as nothing delivered says more; None takes
    them from what the customer was delivered in ``unit`` (any, if empty), and
    raises :class:`NothingDelivered` if that is nothing. Raises :class:`BadWish`.
    """
    now = timezone.now()
    base = terms if terms is not None else _delivered(customer_id, unit)
    clean = clean_name(name)
    wishes = check_own(own or Own(), base)
    if expires_at is not None and expires_at <= now:
        raise BadWish("expires_at", "a key cannot expire in the past")
    if Key.objects.filter(customer_id=customer_id).exclude(state__in=GONE).count() >= MOST_KEYS:
        raise BadWish("name", f"there are {MOST_KEYS} keys already; revoke one first")
    text = mint(secrets.token_bytes(32), "tk_test_" if test else "tk_live_")
    key = Key.objects.create(
        customer_id=customer_id,
        name=clean,
        prefix_hint=redact(text.text),
        digest=digest(text.text.encode(), settings.KEY_PEPPER),
        unit=base.unit,
        terms=encode(base),
        own=encode(wishes),
        test=test,
        expires_at=expires_at,
        replaces_id=replaces,
    )
    push([key])
    return key.pk, text


def _delivered(customer_id: int, unit: str) -> KeyTerms:
    had = Delivery.objects.filter(customer_id=customer_id).values_list("unit", flat=True)
    for one in [unit] if unit else sorted(set(had)):
        terms = live_terms(customer_id, one)
        if terms:
            return best(terms)
    raise NothingDelivered


def clean_name(name: str) -> str:
    """A name of a key without control characters; raises :class:`BadWish` if nothing or too much is left."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not clean:
        raise BadWish("name", "a key needs a name")
    if len(clean) > 60:
        raise BadWish("name", "a name has at most 60 characters")
    return strike_cards(clean)[:60]


@transaction.atomic
def rename_key(key_id: int, customer_id: int, name: str) -> None:
    """Give a key another name. Raises :class:`NoKey`, :class:`BadWish`."""
    key = _mine(key_id, customer_id)
    key.name = clean_name(name)
    key.save(update_fields=["name"])


@transaction.atomic
def narrow_key(key_id: int, customer_id: int, own: Own) -> None:
    """Set what the customer narrows on a key: limits, scopes, routes, models, addresses."""
    key = _mine(key_id, customer_id)
    terms = live_terms(customer_id, key.unit)
    base = best(terms) if terms else msgspec.json.decode(key.terms, type=KeyTerms)
    key.own = encode(check_own(own, base))
    key.save(update_fields=["own"])
    push([key])


@transaction.atomic
def set_expiry(key_id: int, customer_id: int, expires_at: dt.datetime | None) -> None:
    """Let a key end at an instant, or never. Raises :class:`BadWish` for one in the past."""
    key = _mine(key_id, customer_id)
    if expires_at is not None and expires_at <= timezone.now():
        raise BadWish("expires_at", "a key cannot expire in the past; revoke it instead")
    key.expires_at = expires_at
    key.save(update_fields=["expires_at"])
    push([key])


@transaction.atomic
def revoke_key(key_id: int, customer_id: int) -> bool:
    """Stop a key for good; False if it was gone before. Raises :class:`NoKey` for a foreign one."""
    key = _mine(key_id, customer_id)
    if key.state in GONE:
        return False
    key.state = states.step(states.KEY, key.state, "revoke")
    key.revoked_at = timezone.now()
    key.save(update_fields=["state", "revoked_at"])
    push([key])
    return True


@transaction.atomic
def rotate_key(key_id: int, customer_id: int, *, overlap: dt.timedelta) -> tuple[int, KeyText]:
    """Make a successor with the same name and wishes; the old key goes on for ``overlap`` and then ends.

    No overlap revokes the old one at once. Raises :class:`NoKey`, and
    :class:`BadWish` for a key that is not active or an overlap over 30 days.
    """
    key = _mine(key_id, customer_id)
    if key.state != "active":
        raise BadWish("key", "only an active key can be replaced")
    if not dt.timedelta(0) <= overlap <= dt.timedelta(days=30):
        raise BadWish("overlap", "the old key can go on for at most 30 days")
    ends = timezone.now() + overlap
    old_end = key.expires_at
    if not overlap:
        revoke_key(key_id, customer_id)
    elif old_end is None or ends < old_end:
        key.expires_at = ends
        key.save(update_fields=["expires_at"])
        push([key])
    return create_key(
        customer_id,
        name=key.name,
        terms=msgspec.json.decode(key.terms, type=KeyTerms),
        own=msgspec.json.decode(key.own, type=Own),
        test=key.test,
        expires_at=old_end,
        replaces=key.pk,
    )


@transaction.atomic
def suspend_keys(customer_id: int, reason: str, *, key_id: int | None = None) -> int:
    """Stop all keys of a customer, or one, for a reason; answers how many entries changed.

    Reasons add up: keys go on when the last one is lifted. New keys are born stopped.
    Raises :class:`NoKey` for somebody else's.
    """
    if key_id is not None:
        _mine(key_id, customer_id)
    row = Suspension(customer_id=customer_id, key_id=key_id, reason=reason)
    Suspension.objects.bulk_create([row], ignore_conflicts=True)
    if key_id is None:
        relays.want(Q(customer_id=customer_id))
    return push(_living(customer_id, key_id))


@transaction.atomic
def resume_keys(customer_id: int, reason: str, *, key_id: int | None = None) -> int:
    """Lift one reason; answers how many entries changed."""
    which = {"key__isnull": True} if key_id is None else {"key_id": key_id}
    Suspension.objects.filter(customer_id=customer_id, reason=reason, **which).delete()
    if key_id is None:
        relays.want(Q(customer_id=customer_id))
    return push(_living(customer_id, key_id))


@transaction.atomic
def set_terms(customer_id: int, terms: KeyTerms) -> int:
    """Replace what keys of this unit may do where nothing delivered says otherwise."""
    keys = _living(customer_id, None, unit=terms.unit)
    for key in keys:
        key.terms = encode(terms)
    Key.objects.bulk_update(keys, ["terms"], batch_size=200)
    return push(keys)


@transaction.atomic
def refresh_terms(customer_id: int, unit: str) -> int:
    """Bring keys in line with what is delivered now; answers how many entries changed."""
    return push(_living(customer_id, None, unit=unit))


@transaction.atomic
def expire_keys(now: dt.datetime | None = None, limit: int = 500) -> int:
    """Mark keys whose end has come; gates refused them from that instant on."""
    over = Key.objects.select_for_update().exclude(state__in=GONE)
    keys = list(over.filter(expires_at__lte=now or timezone.now()).order_by("pk")[:limit])
    for key in keys:
        key.state = states.step(states.KEY, key.state, "expire")
    Key.objects.bulk_update(keys, ["state"], batch_size=200)
    push(keys)
    return len(keys)


def touch_keys(last_used: dict[int, dt.date]) -> None:
    """Note the latest day, UTC, on which keys were used: the day is all that is kept."""
    by_day: dict[dt.date, list[int]] = {}
    for key_id, day in last_used.items():
        by_day.setdefault(day, []).append(key_id)
    for day, keys in by_day.items():
        stale = Q(last_used_on__isnull=True) | Q(last_used_on__lt=day)
        Key.objects.filter(stale, pk__in=keys).update(last_used_on=day)


def _mine(key_id: int, customer_id: int) -> Key:
    key = Key.objects.select_for_update().filter(pk=key_id, customer_id=customer_id).first()
    if key is None:
        raise NoKey
    return key


def _living(customer_id: int, key_id: int | None, *, unit: str = "") -> list[Key]:
    keys = Key.objects.select_for_update().filter(customer_id=customer_id).exclude(state__in=GONE)
    if key_id is not None:
        keys = keys.filter(pk=key_id)
    if unit:
        keys = keys.filter(unit=unit)
    return list(keys.order_by("pk"))
