"""GET and POST /contact/: writing to the shop without an account, and who is behind it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tollkeeper.support import services as support
from tollkeeper.web.throttle import allow

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
    form = Letter(request.POST if request.method == "POST" else None, auto_id="contact_%s")
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["website"]:
            return redirect("contact")  # a robot: nothing is kept, and it is told nothing
        if not allow(request, "contact", 5, _AN_HOUR):
            return render(request, "429.html", status=429)
        try:
            number = support.open_ticket(
                form.cleaned_data["title"],
                form.cleaned_data["body"],
                contact=form.cleaned_data["contact"],
                complaint=form.cleaned_data["complaint"],
            )
        except support.Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _("Thank you. Your message has the number %s.") % number)
            return redirect("contact")
    return render(request, "storefront/contact.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
def imprint(request: HttpRequest) -> HttpResponse:
    """GET /imprint/: who sells, by law."""
    return render(request, "storefront/imprint.html")
