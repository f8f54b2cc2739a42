"""POST /console/keys/test/: try a key where it works, with a call that costs nothing, and say what came.

The key travels in the body of this one request and to where it works; it is kept nowhere,
no log line and no error report holds it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from tollkeeper.core.keys import well_formed
from tollkeeper.delivery.provisioners import ProvisionerError
from tollkeeper.flows import relaying
from tollkeeper.kit import egress_guard
from tollkeeper.web.access import for_customer
from tollkeeper.web.console.relays import relayed_keys
from tollkeeper.web.docs_tables import ERRORS
from tollkeeper.web.throttle import allow

_LONGEST = 300
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try. ``status`` 0: no answer. ``code`` and ``detail`` are the gate's own words."""

    good: bool
    title: str | Promise
    text: str | Promise
    status: int = 0
    code: str = ""
    ms: int = 0


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("key")
@for_customer
def key_test(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET asks for the key; POST tries it. As a fragment for the script, as a page without one."""
    tried = None
    if request.method == "POST":
        if not allow(request, "key_test", 20, 600):
            return render(request, "429.html", status=429)
        tried = _try(request.POST.get("key", "").strip(), customer_id)
    whole = not request.headers.get("HX-Request")
    template = "console/key_test.html" if whole else "console/key_tried.html"
    answer = render(request, template, {"tried": tried})
    answer["Cache-Control"] = "no-store"
    return answer


@sensitive_variables("key")
def _try(key: str, customer_id: int) -> Tried:
    if not key or len(key) > _LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        return Tried(False, _("That is no key"), _("Paste the whole key and nothing else."))
    began = time.perf_counter()
    tried = _at_gate(key) if key.startswith("tk_") else _at_relays(key, customer_id)
    return Tried(
        tried.good,
        tried.title,
        tried.text,
        tried.status,
        tried.code,
        round(1000 * (time.perf_counter() - began)),
    )


@sensitive_variables("key")
def _at_gate(key: str) -> Tried:
    if not well_formed(key.encode()):
        return Tried(
            False, _("That is no key"), _("Its checksum is wrong: look for missing or extra characters.")
        )
    session = requests.Session()
    session.trust_env = False
    try:
        with egress_guard.opened():  # our own gate, by its public name
            answer = session.get(
                f"{settings.ENV.gate_url}/v1/limits",
                headers={"Authorization": f"Bearer {key}"},
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
    except requests.RequestException:
        return Tried(False, _("The API does not answer"), _("See the status page; your key may be good."))
    if answer.status_code == 200:
        return Tried(True, _("The key works"), _("It was let in just now; the try cost nothing."), 200)
    return _refused(answer)


def _refused(answer: requests.Response) -> Tried:
    try:
        code = str(answer.json().get("code", ""))
    except (ValueError, AttributeError):
        code = ""
    known = next((error for error in ERRORS if error.code == code), None)
    title = known.meaning if known else _("The key was refused")
    return Tried(False, title, known.remedy if known else "", answer.status_code, code)


@sensitive_variables("key")
def _at_relays(key: str, customer_id: int) -> Tried:
    """At each relay where this customer has a key; nowhere else, so that nobody tries keys of others here."""
    targets = sorted({relayed.row.target for relayed in relayed_keys(customer_id)})
    if not targets:
        return Tried(False, _("That is no key of ours"), _("Keys of this shop begin with tk_."))
    silent = False
    for target in targets:
        try:
            if relaying.lets_in(target, key):
                return Tried(
                    True, _("The key works"), _("Its relay let it in just now; the try cost nothing."), 200
                )
        except ProvisionerError:
            silent = True
    if silent:
        return Tried(False, _("The relay does not answer"), _("Try again in a moment; your key may be good."))
    return Tried(
        False, _("The relay refused the key"), _("Compare it with what was shown, or have it replaced."), 401
    )
