"""The letters of a request: each event once, to whoever asked, in their language; reminders to us."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from tollkeeper.accounts import queries as accounts
from tollkeeper.kit import egress, mail
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.kit.purposes import serving
from tollkeeper.kit.sealed import Closed, ErasedText
from tollkeeper.privacy import answering, letters, mandates, policy_queries, requests

REMINDERS = ("half", "most", "over")


def write(number: str, event: str, left: int = 0) -> bool:
    """Have the letter of an event written, once; False if it was. ``left`` files were not taken."""
    new = letters.owe(number, event)
    if new:
        enqueue("mail_request", f"request:{number}:{event}", number=number, event=event, left=left)
    return new


def link_to(number: str) -> str:
    """Where the writer of a request sees how it stands and shows who they are."""
    return f"{settings.PUBLIC_URL}/privacy/request/{number}/{requests.case_secret(number)}/"


@job("mail_request", purpose="legal")
def mail_request(context: Context, number: str, event: str, left: int = 0) -> None:
    """Write one letter, note when it went out, and take the step that follows from it."""
    row = requests.find_request(number)
    if row is None or not letters.is_owed(number, event):
        return
    address = _team() if event in REMINDERS else _address(row)
    if address:
        with egress.about(subject=row.subject, purpose="notice"):
            mail.send(
                "request_reminder" if event in REMINDERS else f"request_{event}",
                address,
                {**_values(row, event), "left": left},
                language="" if event in REMINDERS else row.language,
                reply_to=_team(),
            )
    letters.sent(number, event)
    if event == "receipt":
        _after_receipt(number)


def _after_receipt(number: str) -> None:
    """Receipt is confirmed; whoever must show who they are has the link, and no clock stands for it."""
    row = requests.find_request(number)
    if row is not None and row.state == "received":
        answering.acknowledge(number)
        if not row.known:
            answering.ask_who(number, doubt=False)


def _team() -> str:
    version = policy_queries.find_current()
    return version.policy.contact.email if version else ""


def _address(row: requests.RequestRow) -> str | None:
    with serving("legal", "notice"):
        contact = requests.get_words(row.number).contact
        if contact:
            return contact
        found = accounts.find_email(row.subject) if row.subject else None
    return None if isinstance(found, Closed | ErasedText) else found


def _values(row: requests.RequestRow, event: str) -> dict[str, Any]:
    with serving("legal"):
        reply = requests.get_words(row.number).reply
    policy = policy_queries.get_current().policy
    language = "zh" if row.language.startswith("zh") else "en"
    return {
        "number": row.number,
        "kind": row.kind,
        "regime": row.regime,
        "ground": row.ground,
        "known": row.known,
        "received_on": row.received_at.date(),
        "due_on": row.due_on,
        "link": f"{settings.PUBLIC_URL}/desk/privacy/" if event in REMINDERS else link_to(row.number),
        "reply": reply or "",
        "event": event,
        "agent": mandates.agent_of(row.number),
        "authority": policy.authority.name,
        "authority_url": str(policy.authority.url),
        "courts": policy.authority.others[language],
        "contact": policy.contact.email,
    }
