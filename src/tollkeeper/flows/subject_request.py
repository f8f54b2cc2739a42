"""A request about personal data, from its arrival to its answer: identity, clock, letters, and the act.

    arrives (form, mail, agent) → receipt by mail, with a link → the writer shows who they are
    → what was asked for is done, or a person of ours answers → letter

Nothing here asks in which state an account is: banned, unpaid, unverified or out of reach, its
owner comes through by the address alone and what they know.
"""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tollkeeper.accounts import queries as accounts
from tollkeeper.core import identity, states
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import copies, erasure, identifying, restriction
from tollkeeper.flows.request_letters import write
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.kit.purposes import serving
from tollkeeper.privacy import answering, choices, letters, mandates, policy_queries, requests

_COPIES = ("access", "portability", "know")


def take_in(
    kind: str,
    *,
    contact: str,
    words: str = "",
    regime: str = "gdpr",
    channel: str = "form",
    language: str = "en",
    left: int = 0,
) -> str:
    """Take a stranger's request in; its number. What reveals nothing is done at once.

    The receipt says that ``left`` files of its mail were not taken.

    Behaves the same to its writer whether or not there is an account. Raises ``Refused``.
    """
    needs = identity.needed(kind, identifying.risk_of(contact))
    with transaction.atomic():
        number = requests.open_request(
            kind, regime=regime, channel=channel, contact=contact, words=words, needs=needs, language=language
        )
        if needs == identity.OPEN:
            _do(number, kind, _owner(contact))
        write(number, "receipt", left)
    return number


def ask_signed_in(
    kind: str, subject: uuid.UUID, *, words: str = "", regime: str = "gdpr", language: str = "en"
) -> str:
    """A person asks in their own account; its number. What a machine can do is done at once.

    Raises ``Refused``.
    """
    with transaction.atomic():
        number = requests.open_request(
            kind, regime=regime, channel="console", subject=subject, words=words, language=language
        )
        write(number, "receipt")
        _shown(number, "factor" if accounts.has_factor(subject) else "sign_in", subject)
    return number


def _owner(contact: str) -> uuid.UUID | None:
    user = accounts.find_user(contact)
    return None if user is None else user.pk


def owner_of(number: str) -> uuid.UUID | None:
    """The account that a request is about: its own, or that of the address it came from."""
    row = requests.find_request(number)
    if row is None:
        return None
    with serving("legal"):
        contact = requests.get_words(number).contact
    return row.subject or (_owner(contact) if contact else None)


# ---- who it is


def show_address(number: str, secret: str) -> None:
    """The link that was mailed to the writer was followed. Raises ``Refused``."""
    if not requests.check_case(number, secret):
        raise Refused(_("This link does not lead to a request."))
    with transaction.atomic():
        _shown(number, "address", owner_of(number))


def show_fact(number: str, secret: str, given: str) -> int | None:
    """The writer names a fact of the account; None if it is right, else how many tries are left.

    Raises ``Refused`` before the address was shown, and when no try is left.
    """
    row = requests.find_request(number)
    if row is None or not requests.check_case(number, secret) or row.level < identity.ADDRESS:
        raise Refused(_("Please confirm your address first."))
    subject = owner_of(number)
    if answering.tries_left(number) <= 0:
        raise Refused(_("No try is left. A person of ours will write to you."))
    way = identifying.which_fact(subject, given) if subject else ""
    with transaction.atomic():
        if not way:
            return answering.wrong_fact(number)
        _shown(number, way, subject)
    return None


def show_sign_in(number: str, user: uuid.UUID) -> None:
    """The owner of the account signed in and gave password or factor again. Raises ``Refused``."""
    if owner_of(number) != user:
        raise Refused(_("This request is not about your account."))
    with transaction.atomic():
        _shown(number, "factor" if accounts.has_factor(user) else "sign_in", user)


def show_by_hand(number: str, account: str, actor: uuid.UUID) -> None:
    """A person of ours made sure, by calling back or the like; ``account`` names whose it is, or is empty.

    Raises ``Refused``.
    """
    subject = accounts.find_person(account) if account else owner_of(number)
    if account and subject is None:
        raise Refused(_("There is no such account."))
    with transaction.atomic():
        _shown(number, "callback", subject, actor)


def _shown(number: str, way: str, subject: uuid.UUID | None, actor: uuid.UUID | None = None) -> None:
    enough = answering.show(number, way, subject=subject, actor=actor)
    row = requests.find_request(number)
    assert row is not None
    if enough and mandates.settled(number):
        _do(number, row.kind, subject)


# ---- agents


def confirm_agent(number: str, secret: str) -> None:
    """The person says that the agent acts for them, and shows their address by it."""
    if not requests.check_case(number, secret):
        raise Refused(_("This link does not lead to a request."))
    with transaction.atomic():
        mandates.confirm(number)
        _shown(number, "address", owner_of(number))


def refuse_agent(number: str, secret: str) -> None:
    """The person says that they did not send the agent: the request ends. Raises ``Refused``."""
    if not requests.check_case(number, secret):
        raise Refused(_("This link does not lead to a request."))
    with transaction.atomic():
        mandates.revoke(number)
        answering.withdraw(number)


# ---- what was asked for


def _do(number: str, kind: str, subject: uuid.UUID | None) -> None:
    """Do what a request asks for where a machine can; the rest waits for a person."""
    if subject is None or not requests.is_open(number):
        return
    if kind in _COPIES:
        try:
            copies.ask(subject, request=number)
        except Refused:
            return  # one is being made; the desk sees that this request waits
    elif kind == "erase":
        erasure.close_account(subject, request=number)
        enqueue("mail_closing", f"closing:{number}:letter", number=number)
    elif kind in ("restrict", "lift"):
        (restriction.restrict if kind == "restrict" else restriction.lift)(subject)
        _finish(number)
    elif kind in ("opt_out", "limit"):
        choices.choose("opt_out", choices.GPC, subject=subject, source="form")
        _finish(number)
    elif kind in ("object", "withdraw"):
        _object(subject, "interest" if kind == "object" else "consent")
        _finish(number)


def _object(subject: uuid.UUID, basis: str) -> None:
    for name, purpose in policy_queries.get_current().policy.purposes.items():
        if purpose.basis == basis and choices.may(subject, name):
            choices.choose(
                "object" if basis == "interest" else "withdraw", name, subject=subject, source="form"
            )


def _finish(number: str) -> None:
    answering.finish(number)
    write(number, "done")


@job("mail_closing", purpose="notice")
def mail_closing(context: Context, number: str) -> None:
    """Tell a person that their account is closed, and how to come back while there is time."""
    subject = requests.find_subject(number)
    if subject is not None:
        erasure.tell_of_closing(subject, number)


# ---- what a person of ours does


def finish(number: str, actor: uuid.UUID, reply: str = "", *, partly: bool = False) -> None:
    """Answer a request; ``reply`` goes out with the letter. Raises ``Refused``."""
    with transaction.atomic():
        answering.finish(number, partly=partly, actor=actor, reply=reply)
        write(number, "done")


def extend(number: str, ground: str, actor: uuid.UUID) -> None:
    """Take the longer time and say why, before the first is over. Raises ``Refused``."""
    with transaction.atomic():
        answering.extend(number, ground, actor)
        write(number, "extension")


def refuse(number: str, ground: str, actor: uuid.UUID | None = None) -> None:
    """Refuse, and say why and who may look at it again. Raises ``Refused``."""
    with transaction.atomic():
        answering.refuse(number, ground, actor)
        write(number, "refusal")


def ask_who(number: str, actor: uuid.UUID) -> None:
    """There is reasonable doubt: ask; the GDPR's clock stands meanwhile. Raises ``Refused``."""
    with transaction.atomic():
        answering.ask_who(number, actor)
        write(number, "identity")


def withdraw(number: str, secret: str) -> None:
    """The writer takes the request back. Raises ``Refused``."""
    if not requests.check_case(number, secret):
        raise Refused(_("This link does not lead to a request."))
    answering.withdraw(number)


@schedule("watch_requests", every_s=6 * 3600, purpose="legal")
def watch_requests(context: Context) -> None:
    """Clocks: remind ourselves, and end what nobody ever confirmed."""
    watch(timezone.now())


def watch(now: dt.datetime) -> int:
    """Remind the privacy team, refuse whom we still do not know on the last day; letters that are due."""
    due = 0
    for number in requests.unshown(now.date()):
        refuse(number, "not_identified")
        due += 1
    answering.lapse(now)
    for number, event in letters.owed_reminders(now.date()):
        with transaction.atomic():
            due += write(number, event)
    return due


def is_over(state: str) -> bool:
    """Whether nothing can happen to a request any more."""
    return state in states.REQUEST.final
