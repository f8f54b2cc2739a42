"""Mails that people write to us become requests and letters: each once, sealed, whatever they look like.

    R-… or T-… in the subject, from its writer    → added to that request or conversation
    speaks of data or of a right, or is written to the privacy address → a request, with its clock
    anything else                                  → a letter to support

Files that hang below a letter are taken as the contact form takes them (few kinds, small, sealed);
what is not taken is named to its writer. Nobody needs to send documents with a request.

Robots, lists, our own mails and floods are left in the mailbox, marked as read, and counted.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import logging
from collections import Counter

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from tollkeeper.accounts import queries as accounts
from tollkeeper.core import inbound
from tollkeeper.core.inbound import Inbound
from tollkeeper.flows import helpdesk, subject_request
from tollkeeper.kit import egress_mailbox
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.kit.purposes import serving
from tollkeeper.privacy import arrivals, policy_queries, requests
from tollkeeper.support import queries as tickets
from tollkeeper.support import services as support

EVERY_S = 60
MOST_A_RUN = 200
MOST_A_DAY = 20
"""Mails of one sender that are taken in a day."""
log = logging.getLogger("tollkeeper.mailbox")


@schedule("read_mailbox", every_s=EVERY_S, purpose="legal")
def read_mailbox(context: Context) -> None:
    """Take in what people wrote, if the shop has a mailbox."""
    if settings.ENV.mailbox_url:
        read(settings.ENV.mailbox_url)


@schedule("forget_arrivals", every_s=24 * 3600, purpose="legal")
def forget_arrivals(context: Context) -> None:
    """What tells a mail from one that was taken goes after 90 days."""
    arrivals.forget(timezone.now() - dt.timedelta(days=90))


def read(url: str) -> dict[str, int]:
    """Take in new mails; what became of how many: ``request``, ``ticket``, ``added``, ``again``, or why not.

    Raises ``egress_mailbox.CannotRead`` and ``egress.Refused``. Can be stopped anywhere: a mail
    that was taken and not yet deleted is recognised by its id.
    """
    done: Counter[str] = Counter()
    with egress_mailbox.open_box(url) as box:
        for name, raw in box.unread(MOST_A_RUN, inbound.MOST_BYTES):
            became = take(raw)
            box.done(name, taken=became in ("request", "ticket", "added", "again"))
            done[became] += 1
    if done:
        log.info("mailbox: %s", ", ".join(f"{word} {count}" for word, count in sorted(done.items())))
    return dict(done)


def _own() -> set[str]:
    contact = policy_queries.get_current().policy.contact
    return {one.lower() for one in (contact.email, contact.support_email, contact.security_email)}


def take(raw: bytes) -> str:
    """Take one mail in; what became of it, as in :func:`read`."""
    letter = inbound.read_mail(raw, _own())
    digest = hmac.new(settings.KEY_PEPPER, f"mail|{letter.id}".encode(), hashlib.sha256).hexdigest()
    if arrivals.known(digest):
        return "again"
    why_not = letter.machine or ("flood" if _too_many(letter.sender) else "")
    try:
        with transaction.atomic(), serving("legal", "support"):
            number, became = ("", why_not) if why_not else _become(letter)
            arrivals.note(digest, number or became)
    except IntegrityError:
        return "again"  # another worker took it in the same moment
    return became


def _too_many(sender: str) -> bool:
    key = f"mailbox:{sender}:{timezone.now():%Y-%m-%d}"  # the cache stores names hashed
    cache.add(key, 0, 86_400)
    try:
        return cache.incr(key) > MOST_A_DAY
    except ValueError:
        return False


def _become(letter: Inbound) -> tuple[str, str]:
    """The number of what a mail became, and the word for it."""
    text = letter.text or letter.subject or "-"
    for reference in letter.references:
        if _add(reference, letter, text):
            return reference, "added"
    kind = inbound.kind_of(letter)
    privacy = policy_queries.get_current().policy.contact.email.lower()
    language = _language(letter)
    if kind is not None or privacy in letter.to:
        words = f"{letter.subject}\n\n{letter.text}".strip()
        number = subject_request.take_in(
            kind or "other", contact=letter.sender, words=words[: requests.MAX_WORDS],
            regime=inbound.regime_of(letter), channel="mail", language=language, left=len(letter.files),
        )  # fmt: skip
        return number, "request"
    title = (letter.subject or text.splitlines()[0])[: support.MAX_TITLE].strip()
    files, left = _files(letter)
    number = helpdesk.write(
        title, text + _named(left, language), contact=letter.sender,
        extra=support.Extra(language=language, files=files, left=len(left)),
    )  # fmt: skip
    return number, "ticket"


def _language(letter: Inbound) -> str:
    return "zh-hans" if letter.chinese else "en"


def _files(letter: Inbound) -> tuple[tuple[support.CleanFile, ...], list[str]]:
    """Files that are taken, and the names of those that are not."""
    taken: list[support.CleanFile] = []
    left: list[str] = []
    for file in letter.files:
        try:
            if file.content is None or len(taken) == support.MAX_FILES:
                left.append(file.name)
            else:
                taken.append(support.clean_file(file.name, file.content))
        except support.BadFile:
            left.append(file.name)
    return tuple(taken), left


def _named(left: list[str], language: str) -> str:
    """What is written below a letter whose files were not all taken; the names are the writer's own."""
    if not left:
        return ""
    with translation.override(language):
        said = _(
            "Not taken from this mail: %(names)s. Taken are up to %(n)d files of %(mib)d MiB: %(kinds)s."
        )
        return "\n\n" + said % {
            "names": ", ".join(left)[:400],
            "n": support.MAX_FILES,
            "mib": support.MAX_BYTES // 1024 // 1024,
            "kinds": ", ".join(support.TYPES),
        }


def _add(reference: str, letter: Inbound, text: str) -> bool:
    """Add words to what they answer, if they come from its writer; False otherwise."""
    sender = letter.sender
    if reference.startswith("R-"):
        row = requests.find_request(reference)
        if row is None or sender not in _writers(requests.get_words(reference).contact, row.subject):
            return False
        requests.add_words(reference, text)
        return True
    ticket = tickets.find_ticket(reference)
    if ticket is None:
        return False
    contact = (
        accounts.email_for(ticket.customer_id) if ticket.customer_id else tickets.find_contact(reference)
    )
    if sender not in _writers(contact, None):
        return False
    files, left = _files(letter)
    helpdesk.write_back(reference, text + _named(left, _language(letter)), files)
    return True


def _writers(contact: str | None, subject: object) -> set[str]:
    found = {contact.lower()} if contact else set()
    if subject is not None:
        with serving("legal", "notice"):
            own = accounts.find_email(subject)  # type: ignore[arg-type]
        found |= {str(own).lower()} if isinstance(own, str) else set()
    return found
