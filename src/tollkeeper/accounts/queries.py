"""Reads about people and customers: the one place that opens addresses."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import Max, Q

from tollkeeper.accounts.models import Customer, User
from tollkeeper.kit.sealed import ErasedText, preload


def customer_for(user: Any) -> Customer | None:
    """The customer that a signed-in person is, if they are one yet."""
    return Customer.objects.filter(owner_id=user.pk).first() if user.is_authenticated else None


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer by number: nothing of the person."""

    id: int
    public_id: str
    created_at: dt.datetime


def recent_customers(limit: int = 100) -> list[CustomerRow]:
    """The newest customers, for the desk."""
    return [CustomerRow(c.pk, c.public_id, c.created_at) for c in Customer.objects.order_by("-pk")[:limit]]


def find_customer(public_id: str) -> CustomerRow | None:
    """The customer with this number."""
    row = Customer.objects.filter(public_id=public_id).first()
    return CustomerRow(row.pk, row.public_id, row.created_at) if row else None


def customer_of(user_id: uuid.UUID) -> int | None:
    """The id of the customer that a person is; None if they never were one."""
    return Customer.objects.filter(owner_id=user_id).values_list("pk", flat=True).first()


def public_ids(people: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The customer numbers of people; who never was a customer is left out."""
    wanted, found = list(people), dict[uuid.UUID, str]()
    for start in range(0, len(wanted), 500):
        rows = Customer.objects.filter(owner_id__in=wanted[start : start + 500])
        found |= {owner: number for owner, number in rows.values_list("owner_id", "public_id") if owner}
    return found


def get_customer(customer_id: int) -> Customer:
    """Raises ``Customer.DoesNotExist``."""
    return Customer.objects.select_related("owner").get(pk=customer_id)


def _address(user_id: uuid.UUID) -> str | None:
    row = EmailAddress.objects.filter(user_id=user_id).order_by("-primary", "-verified", "pk").first()
    return None if row is None or isinstance(row.email, ErasedText) else str(row.email)


def find_email(user_id: uuid.UUID) -> str | None:
    """The person's address; None if there is none or it was erased."""
    return _address(user_id)


def email_for(customer_id: int) -> str | None:
    """Where to write to a customer; None once the person is erased."""
    owner = Customer.objects.filter(pk=customer_id).values_list("owner_id", flat=True).first()
    return None if owner is None else _address(owner)


def emails_for(customer_ids: Iterable[int]) -> dict[int, str]:
    """Addresses of many customers with three queries: for lists."""
    owners = dict(Customer.objects.filter(pk__in=list(customer_ids)).values_list("owner_id", "pk"))
    preload(owners)
    rows = EmailAddress.objects.filter(user_id__in=list(owners), primary=True)
    return {owners[row.user_id]: row.email for row in rows if not isinstance(row.email, ErasedText)}


def find_user(email: str) -> User | None:
    """The person with this address, verified or not."""
    row = EmailAddress.objects.filter(email=email).order_by("-verified").select_related("user").first()
    return None if row is None else row.user


def find_person(text: str) -> uuid.UUID | None:
    """A person by address, customer number or id."""
    if "@" in text:
        user = find_user(text)
        return None if user is None else user.pk
    owner = Customer.objects.filter(public_id=text).values_list("owner_id", flat=True).first()
    if owner is not None:
        return owner
    try:
        return User.objects.filter(pk=uuid.UUID(text)).values_list("pk", flat=True).first()
    except ValueError:
        return None


def display_name(user_id: uuid.UUID) -> str:
    """The nickname, or the pseudonym: never the address."""
    user = User.objects.filter(pk=user_id).first()
    if user is None or not user.nickname or isinstance(user.nickname, ErasedText):
        return f"subject-{user_id.hex[:12]}"
    return str(user.nickname)


def shown_to_self(user: User) -> str:
    """How allauth's pages name the person who looks at them: nickname, else address."""
    if user.nickname and not isinstance(user.nickname, ErasedText):
        return str(user.nickname)
    return _address(user.pk) or str(user)


def language_of(user_id: uuid.UUID | None) -> str:
    """The language in which to write to a person; English for somebody erased."""
    if user_id is None:
        return "en"
    return User.objects.filter(pk=user_id).values_list("language", flat=True).first() or "en"


def subject_ids(limit: int | None = None) -> list[uuid.UUID]:
    """Everybody who has an account and could be written to, oldest first."""
    rows = User.objects.filter(is_active=True).order_by("created_at", "pk").values_list("pk", flat=True)
    return list(rows if limit is None else rows[:limit])


def last_active(user_id: uuid.UUID) -> dt.datetime:
    """When a person was last signed in or seen; at the latest when the account was made.

    Raises ``User.DoesNotExist``.
    """
    user = User.objects.get(pk=user_id)
    seen = UserSession.objects.filter(user_id=user_id).aggregate(last=Max("last_seen_at"))["last"]
    return max(moment for moment in (user.created_at, user.last_login, seen) if moment is not None)


def idle_since(before: dt.datetime) -> list[uuid.UUID]:
    """People with an open account who were last signed in before; operators are left out."""
    rows = User.objects.filter(is_active=True, is_staff=False, created_at__lt=before)
    rows = rows.filter(Q(last_login__isnull=True) | Q(last_login__lt=before))
    return list(rows.order_by("created_at", "pk").values_list("pk", flat=True))


def has_role(user_id: uuid.UUID, role: str) -> bool:
    """Whether an operator has a role: a group of that name. Who has none at all has every role."""
    groups = set(User.objects.filter(pk=user_id).values_list("groups__name", flat=True)) - {None}
    return not groups or role in groups


def is_operator(user_id: uuid.UUID) -> bool:
    """Whether a person works at the desk."""
    return User.objects.filter(pk=user_id, is_staff=True, is_active=True).exists()


def is_only_operator(user_id: uuid.UUID) -> bool:
    """Whether nobody else works at the desk: then nobody else can be the second person."""
    return not User.objects.filter(is_staff=True, is_active=True).exclude(pk=user_id).exists()


def has_factor(user_id: uuid.UUID) -> bool:
    """Whether a person signs in with a second factor."""
    return Authenticator.objects.filter(user_id=user_id).exists()


def present(people: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of ``people`` who are in the book."""
    todo, found = list(people), set[uuid.UUID]()
    for start in range(0, len(todo), 500):
        found.update(User.objects.filter(pk__in=todo[start : start + 500]).values_list("pk", flat=True))
    return found
