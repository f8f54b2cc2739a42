"""Mail: rendered as text and HTML, handed to the backend of the settings.

A template ``mail/<name>.txt`` begins with a line ``Subject: …`` and an empty line. If
``mail/<name>.html`` exists it is the HTML part; otherwise the text is set into
``mail/frame.html``. Styles are put inline, because mail programs ignore style sheets.
Nothing here writes an address or a text to a log.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage
from django.template.exceptions import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils import translation

from tollkeeper.kit import egress

PAUSED = frozenset(
    {
        "units_used",
        "units_ending",
        "units_added",
        "payment_failed",
        "plan_ended",
        "plan_stopped",
        "trial_ending",
        "overage_used",
        "endpoint_failing",
    }
)
"""Letters that are a service: not written to somebody whose data may only be stored (Art. 18)."""

_inliner = css_inline.CSSInliner(load_remote_stylesheets=False)
_LINK = re.compile(r"https?://[^\s<>\"]+")


class BadTemplate(Exception):
    """A mail template does not begin with a subject line."""


class FileBackend(BaseEmailBackend):
    """Writes every mail to ``settings.MAIL_FOLDER`` as one ``.eml`` file, readable by its owner."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.MAIL_FOLDER)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in email_messages:
            stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
            path = folder / f"{stamp}-{secrets.token_hex(4)}.eml"
            part = path.with_suffix(".part")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(message.message().as_bytes())
            part.rename(path)
        return len(email_messages)


def forget(address: str) -> int:
    """Delete the files of mails to an address: what :class:`FileBackend` wrote for a demo. How many."""
    needle = address.lower().encode()
    gone = 0
    for path in Path(settings.MAIL_FOLDER).glob("*.eml"):
        if needle in path.read_bytes().lower():
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def paused(template: str, subject: uuid.UUID | None) -> bool:
    """Whether this letter must not be written to this person now."""
    return template in PAUSED and bool(egress.stopped("mail", "delivery", subject))


def paragraphs(text: str) -> list[list[list[dict[str, str]]]]:
    """Text as paragraphs of lines of pieces; a piece is ``{"text"}`` or ``{"text", "href"}``."""
    made = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = []
        for line in block.splitlines():
            pieces: list[dict[str, str]] = []
            last = 0
            for match in _LINK.finditer(line):
                if match.start() > last:
                    pieces.append({"text": line[last : match.start()]})
                pieces.append({"text": match.group(), "href": match.group()})
                last = match.end()
            if last < len(line) or not pieces:
                pieces.append({"text": line[last:]})
            lines.append(pieces)
        made.append(lines)
    return made


def framed(subject: str, text: str, context: Mapping[str, Any] | None = None) -> str:
    """The HTML part for a mail that has only text."""
    values = {**(context or {}), "subject": subject, "paragraphs": paragraphs(text)}
    return _inliner.inline(render_to_string("mail/frame.html", values))


def compose(template: str, to: str, context: Mapping[str, Any], language: str = "") -> EmailMultiAlternatives:
    """Render a mail; raises ``TemplateDoesNotExist`` or :class:`BadTemplate`."""
    values = {"brand": settings.SHOP_NAME, "url": settings.PUBLIC_URL, **context}
    with translation.override(language or translation.get_language()):
        head, _, text = render_to_string(f"mail/{template}.txt", values).lstrip().partition("\n")
        name, colon, subject = head.partition(":")
        if name != "Subject" or not colon or not subject.strip():
            raise BadTemplate(f"mail/{template}.txt must begin with 'Subject: …'")
        subject, text = " ".join(subject.split()), text.strip() + "\n"
        try:
            html = _inliner.inline(render_to_string(f"mail/{template}.html", {**values, "subject": subject}))
        except TemplateDoesNotExist:
            html = framed(subject, text, values)
    message = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [to])
    message.attach_alternative(html, "text/html")
    return message


def send(
    template: str,
    to: str,
    context: Mapping[str, Any] | None = None,
    *,
    language: str = "",
    attachments: Sequence[tuple[str, bytes, str]] = (),
    reply_to: str = "",
) -> None:
    """Render ``mail/<template>`` and send it to one address.

    ``attachments`` are (file name, content, MIME type). Raises what the backend raises
    (``OSError``, ``smtplib.SMTPException``): callers are jobs, which try again.
    """
    message = compose(template, to, context or {}, language)
    message.extra_headers["Auto-Submitted"] = "auto-generated"  # no robot answers it (RFC 3834)
    for attachment in attachments:
        message.attach(*attachment)
    if reply_to:
        message.reply_to = [reply_to]
    message.send()
