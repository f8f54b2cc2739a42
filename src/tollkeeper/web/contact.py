"""Writing to the shop without an account, reading the answer by a secret link, and who is behind it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tollkeeper.core.refusal import Refused
from tollkeeper.flows import helpdesk
from tollkeeper.support import queries as tickets
from tollkeeper.support import services as support
from tollkeeper.web.throttle import allow
from tollkeeper.web.uploads import ManyFiles, download

_AN_HOUR = 3600


class Letter(forms.Form):
    """A message from anybody. ``website`` is a trap: people do not see it, robots fill it in."""

    contact = forms.EmailField(
        label=gettext_lazy("Your e-mail address"),
        help_text=gettext_lazy("For the answer only."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    title = forms.CharField(label=gettext_lazy("What is it about?"), max_length=support.MAX_TITLE)
    body = forms.CharField(
        label=gettext_lazy("Your message"),
        max_length=support.MAX_BODY,
        help_text=gettext_lazy("Please no passwords, keys or card numbers."),
        widget=forms.Textarea(attrs={"rows": 8}),
    )
    attached = ManyFiles()
    complaint = forms.BooleanField(label=gettext_lazy("This is a complaint"), required=False)
    website = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"})
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest) -> HttpResponse:
    """Takes a letter in; answers with its number. Those who are signed in write from the console."""
    if request.user.is_authenticated:
        return redirect("console_ticket_new")
    posted = request.method == "POST"
    form = Letter(request.POST if posted else None, request.FILES if posted else None, auto_id="contact_%s")
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["website"]:
            return redirect("contact")  # a robot: nothing is kept, and it is told nothing
        if not allow(request, "contact", 5, _AN_HOUR):
            return render(request, "429.html", status=429)
        try:
            number = helpdesk.write(
                form.cleaned_data["title"],
                form.cleaned_data["body"],
                contact=form.cleaned_data["contact"],
                complaint=form.cleaned_data["complaint"],
                extra=support.Extra(get_language() or "en", files=tuple(form.cleaned_data["attached"])),
            )
        except Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _("Thank you. Your message has the number %s.") % number)
            return redirect("contact")
    return render(request, "storefront/contact.html", {"form": form}, status=422 if form.is_bound else 200)


class Reply(forms.Form):
    """One more message of a stranger."""

    body = forms.CharField(
        label=gettext_lazy("Your answer"),
        max_length=support.MAX_BODY,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    attached = ManyFiles()


def _guest(number: str, secret: str) -> None:
    if not tickets.check_guest(number, secret):
        raise Http404


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def letter(request: HttpRequest, number: str, secret: str) -> HttpResponse:
    """A stranger's thread, opened by the link of their mail; POST adds to it."""
    _guest(number, secret)
    posted = request.method == "POST"
    form = Reply(request.POST if posted else None, request.FILES if posted else None, auto_id="reply_%s")
    if posted and form.is_valid():
        if not allow(request, "letter", 10, _AN_HOUR):
            return render(request, "429.html", status=429)
        try:
            helpdesk.write_back(number, form.cleaned_data["body"], form.cleaned_data["attached"])
        except Refused as no:
            form.add_error(None, str(no))
        else:
            return redirect("letter", number, secret)
    found = tickets.find_thread(number)
    if found is None:
        raise Http404
    values = {"ticket": found[0], "messages_of": found[1], "form": form, "secret": secret}
    response = render(request, "storefront/letter.html", values, status=422 if form.is_bound else 200)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


@never_cache
@require_safe
def letter_file(request: HttpRequest, number: str, secret: str, file_id: int) -> HttpResponse:
    """A file of a stranger's thread."""
    _guest(number, secret)
    found = tickets.find_file(number, file_id)
    if found is None:
        raise Http404
    return download(*found)


@require_safe
def imprint(request: HttpRequest) -> HttpResponse:
    """GET /imprint/: who sells, by law."""
    return render(request, "storefront/imprint.html")
