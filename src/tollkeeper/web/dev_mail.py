"""The mail that an installation for trying out has sent, as pages. Absent when live."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from csp.decorators import csp_replace
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,120}")
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail of the folder."""

    name: str
    subject: str
    to: str
    sent_at: dt.datetime
    text: str
    html: str


def _folder() -> Path:
    if settings.ENV.live:
        raise Http404
    return Path(settings.ENV.home) / "mail"


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    content = part.get_content() if part is not None else ""
    return content if isinstance(content, str) else ""


def _read(path: Path) -> Mail:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return Mail(
        name=path.stem,
        subject=str(message.get("Subject", "")),
        to=str(message.get("To", "")),
        sent_at=dt.datetime.fromtimestamp(path.stat().st_mtime, tz=dt.UTC),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _one(name: str) -> Mail:
    path = _folder() / f"{name}.eml"
    if _NAME.fullmatch(name) is None or not path.is_file():
        raise Http404
    return _read(path)


@never_cache
@require_safe
def mailbox(request: HttpRequest, name: str = "") -> HttpResponse:
    """GET /dev/mail/ and /dev/mail/<name>/: the newest mails, one of them open."""
    paths = sorted(_folder().glob("*.eml"), key=lambda path: path.name, reverse=True)
    shown = _one(name) if name else _read(paths[0]) if paths else None
    mails = [_read(path) for path in paths[:_SHOWN]]
    return render(request, "dev/mail.html", {"mails": mails, "shown": shown, "total": len(paths)})


@never_cache
@require_safe
@xframe_options_sameorigin
@csp_replace(  # type: ignore[arg-type]  # a mail brings its styles inside; it is shown in a sandboxed frame, without scripts
    {
        "default-src": ["'none'"],
        "style-src": ["'unsafe-inline'"],
        "img-src": ["data:"],
        "frame-ancestors": ["'self'"],
    }
)
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """GET /dev/mail/<name>/html/: the HTML part alone, for the frame of the page above."""
    return HttpResponse(_one(name).html)
