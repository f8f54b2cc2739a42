"""Verbs that write about people and customers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from tollkeeper.accounts import queries
from tollkeeper.accounts.models import Customer, User
from tollkeeper.accounts.sessions import SessionStore
from tollkeeper.core.cards import strike_cards
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import egress, mail
from tollkeeper.kit.bound import normalise_email
from tollkeeper.kit.purposes import serving
from tollkeeper.kit.sealed import ErasedText


def ensure_customer(user: User) -> int:
    """The id of the customer that a person is, made on first need."""
    row, _ = Customer.objects.get_or_create(owner=user)
    return row.pk


def create_person(email: str, password: str | None, **fields: Any) -> User:
    """A person with one verified, primary address, without a mail: for operators and imports.

    Raises :class:`Refused` for a bad or taken address, or a weak password.
    """
    address = normalise_email(email)
    try:
        validate_email(address)
        if password is not None:
            validate_password(password)
    except ValidationError as mistake:
        raise Refused(" ".join(mistake.messages)) from None
    if EmailAddress.objects.filter(email=address, verified=True).exists():
        raise Refused("There is already an account with this address.")
    with transaction.atomic():
        user = User.objects.create_user(password=password, **fields)
        EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    return user


def add_operator(email: str, password: str) -> uuid.UUID:
    """Make a person who may use the desk; an existing one becomes staff and gets the password.

    Raises :class:`Refused`.
    """
    user = queries.find_user(email)
    if user is None:
        return create_person(email, password, is_staff=True).pk
    try:
        validate_password(password, user)
    except ValidationError as mistake:
        raise Refused(" ".join(mistake.messages)) from None
    user.is_staff = True
    user.set_password(password)
    user.save(update_fields=["is_staff", "password"])
    return user.pk


def enrol_totp(user_id: uuid.UUID) -> tuple[str, str]:
    """Give a person a new authenticator key in place of any they had: (key, ``otpauth:`` address).

    For whoever owns the machine: shown once, stored sealed.
    """
    user = User.objects.get(pk=user_id)
    secret = generate_totp_secret()
    with transaction.atomic():
        Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).delete()
        TOTP.activate(user, secret)
    with serving("auth"):
        return secret, get_adapter().build_totp_url(user, secret)


def end_sessions(user_id: uuid.UUID) -> int:
    """Sign a person out everywhere; the number of sessions ended."""
    with serving("auth"):
        keys = [row.session_key for row in UserSession.objects.filter(user_id=user_id)]
    for key in keys:
        if not isinstance(key, ErasedText):
            SessionStore().delete(key)
    UserSession.objects.filter(user_id=user_id).delete()
    return len(keys)


def end_all_sessions() -> int:
    """Sign everybody out, after a restore; the number of sessions ended."""
    UserSession.objects.all().delete()
    return int(Session.objects.all().delete()[0])


def freeze(user_id: uuid.UUID) -> None:
    """Let nobody sign in as this person any more, and sign them out everywhere."""
    with transaction.atomic():
        User.objects.filter(pk=user_id).update(is_active=False)
        end_sessions(user_id)


def thaw(user_id: uuid.UUID) -> None:
    """Let a person sign in again who was frozen by mistake."""
    User.objects.filter(pk=user_id).update(is_active=True)


def set_nickname(user_id: uuid.UUID, nickname: str) -> None:
    """Set or, with an empty text, remove the nickname. Raises :class:`Refused` beyond 40 characters."""
    clean = " ".join(nickname.split())
    if len(clean) > 40:
        raise Refused("A nickname has at most 40 characters.")
    user = User.objects.get(pk=user_id)
    user.nickname = strike_cards(clean)[:40] or None
    user.save(update_fields=["nickname"])


def correct_email(user_id: uuid.UUID, email: str) -> None:
    """Replace a person's address by one that an operator made sure of. Raises :class:`Refused`."""
    address = normalise_email(email)
    try:
        validate_email(address)
    except ValidationError as mistake:
        raise Refused(" ".join(mistake.messages)) from None
    if EmailAddress.objects.filter(email=address).exclude(user_id=user_id).exists():
        raise Refused("Another account has this address.")
    with transaction.atomic():
        EmailAddress.objects.filter(user_id=user_id).delete()
        EmailAddress.objects.create(user_id=user_id, email=address, verified=True, primary=True)
        end_sessions(user_id)


def set_language(user_id: uuid.UUID, language: str) -> None:
    """Remember the language of a person's pages and mails."""
    User.objects.filter(pk=user_id).update(language=language)


def write_to(customer_id: int, template: str, context: Mapping[str, Any] | None = None, **extra: Any) -> bool:
    """Send a mail to a customer in their language; False if they have no address any more, or if
    it is a service that a restriction stops.

    Sends at once: called by jobs, outside any transaction that must hold.
    """
    with serving("notice"):
        address = queries.email_for(customer_id)
    if address is None:
        return False
    owner = queries.get_customer(customer_id).owner_id
    if mail.paused(template, owner):
        return False
    with egress.about(subject=owner):
        mail.send(template, address, context, language=queries.language_of(owner), **extra)
    return True
