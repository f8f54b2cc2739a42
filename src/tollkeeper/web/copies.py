"""Fetching a copy of one's data: a code by mail, then the file, once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tollkeeper.flows import copies as flow
from tollkeeper.kit import egress
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.privacy import copies
from tollkeeper.web.throttle import allow

KEPT = "copy_code"
"""Where a session keeps what checks the code."""


class Code(forms.Form):
    """The code from the mail."""

    code = forms.CharField(
        label=gettext_lazy("Code from the mail"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )


def fetch(
    request: HttpRequest, subject: uuid.UUID, number: str, back: str, base: str = "layouts/console.html"
) -> HttpResponse:
    """Mail a code on ``send``, check the one that was entered, and give the file out."""
    row = copies.find_copy(number, subject)
    if row is None or row.state != "ready":
        messages.error(request, _("This copy cannot be fetched any more. Please ask for a new one."))
        return redirect(back)
    if request.POST.get("act") == "send":
        return _send(request, subject, number, back)
    kept: dict[str, Any] | None = request.session.get(KEPT)
    if not kept or kept.get("copy") != number:
        return redirect(back)
    form = Code(request.POST if request.method == "POST" else None, auto_id="code_%s")
    if form.is_bound and form.is_valid():
        right = flow.opens(kept, number, form.cleaned_data["code"])
        request.session[KEPT] = kept
        if right:
            del request.session[KEPT]
            return _give(subject, number)
        form.add_error("code", _("This code is wrong or too old. You can have a new one sent."))
    values = {"form": form, "number": number, "back": back, "base": base}
    return render(request, "copy/code.html", values, status=422 if form.is_bound else 200)


def _send(request: HttpRequest, subject: uuid.UUID, number: str, back: str) -> HttpResponse:
    if not allow(request, "copy_code", 6, 3600):
        return render(request, "429.html", status=429)
    try:
        request.session[KEPT] = flow.send_code(subject, number)
    except (OSError, egress.Refused):
        messages.error(request, _("The mail could not be sent. Please try again in a few minutes."))
        return redirect(back)
    return redirect(request.path)


def _give(subject: uuid.UUID, number: str) -> HttpResponse:
    row, pieces = copies.take(number, subject)
    answer = StreamingHttpResponse(_served(pieces), content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="my-data-{number}.zip"'
    answer["Content-Length"] = str(row.size)
    answer["Cache-Control"] = "no-store"
    return cast(HttpResponse, answer)


def _served(pieces: Iterator[bytes]) -> Iterator[bytes]:
    with serving(OWN):
        yield from pieces
