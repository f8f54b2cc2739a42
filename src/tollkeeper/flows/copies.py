"""A person's copy: asked for, built by a job, told by mail, fetched once with a mailed code, soon gone."""

from __future__ import annotations

import hmac
import secrets
import time
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.kit import egress, mail
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.kit.sealed import Closed, ErasedText
from tollkeeper.privacy import answering, copies, requests
from tollkeeper.privacy.copying import WHOLE, Span

CODE_S = 600
"""How long a mailed code opens a copy."""
TRIES = 5
_LETTERS = "23456789BCDFGHJKLMNPQRSTVWXZ"


def ask(
    subject: uuid.UUID, *, kind: str = "access", span: Span = WHOLE, request: str = "", regime: str = "gdpr"
) -> str:
    """Have a copy made; its number. ``request`` is the request that it answers, else one is opened.

    Raises ``Refused`` while another is being made.
    """
    with transaction.atomic():
        request = request or requests.open_request(kind, regime=regime, channel="console", subject=subject)
        number = copies.ask(subject, request, accounts.language_of(subject), span)
        enqueue("build_copy", f"copy:{number}", copy=number)
    return number


@job("build_copy", purpose="legal", attempts=5, cap_s=60.0, on_dead=lambda copy: copies.fail(copy))
def build_copy(context: Context, copy: str) -> None:
    """Write the file, then answer the request and tell the person."""
    with serving(OWN):
        made = copies.build(copy, context.renew)
    if made is not None and made.state == "ready":
        context.step("answer", _answer, made.request, copy)


def _answer(request: str, copy: str) -> None:
    if requests.is_open(request):
        answering.finish(request)
    enqueue("mail_copy_ready", f"copy:{copy}:ready", copy=copy)


@job("mail_copy_ready", purpose="notice")
def mail_copy_ready(context: Context, copy: str) -> None:
    """Tell the person that the copy may be fetched, and until when."""
    subject = copies.owner_of(copy)
    row = copies.find_copy(copy, subject) if subject else None
    if subject is not None and row is not None and row.state == "ready":
        values = {
            "number": row.request,
            "until": row.expires_at,
            "link": f"{settings.PUBLIC_URL}/console/privacy/",
        }
        _write(subject, "copy_ready", values)


def _write(subject: uuid.UUID, template: str, values: Mapping[str, Any]) -> bool:
    with serving(OWN):
        address = accounts.find_email(subject)
    if address is None or isinstance(address, Closed | ErasedText):
        return False
    with egress.about(subject=subject):
        mail.send(template, address, values, language=accounts.language_of(subject))
    return True


def send_code(subject: uuid.UUID, copy: str) -> dict[str, Any]:
    """Mail a code that opens a copy, and give what the browser's session must keep to check it.

    Raises what the mail backend raises.
    """
    code = "".join(secrets.choice(_LETTERS) for _ in range(8))
    _write(subject, "copy_code", {"code": f"{code[:4]}-{code[4:]}", "minutes": CODE_S // 60})
    return {"copy": copy, "mac": _mac(copy, code), "until": time.time() + CODE_S, "tries": 0}


def opens(kept: dict[str, Any] | None, copy: str, given: str) -> bool:
    """Whether a code opens a copy; counts the try in ``kept``, which the caller saves."""
    if not kept or kept.get("copy") != copy or kept["until"] < time.time() or kept["tries"] >= TRIES:
        return False
    kept["tries"] += 1
    clean = "".join(given.upper().split()).replace("-", "")
    return hmac.compare_digest(str(kept["mac"]), _mac(copy, clean))


def _mac(copy: str, code: str) -> str:
    return hmac.digest(settings.SECRET_KEY.encode(), f"copy {copy} {code}".encode(), "sha256").hex()


@schedule("expire_copies", every_s=900, purpose="legal")
def expire_copies(context: Context) -> None:
    """Copies that nobody fetched in time end, and their files go."""
    copies.expire(timezone.now())
