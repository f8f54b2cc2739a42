"""What became of a closed account, for whoever has the link: no sign-in, for there is no account any more."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tollkeeper.core.policy_schema import Policy
from tollkeeper.flows import erasure
from tollkeeper.privacy import forgetting, periods, policy_queries


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def closing(request: HttpRequest, number: str, secret: str) -> HttpResponse:
    """GET and POST /privacy/erasure/<number>/<secret>/: how far it is; POST takes the closing back."""
    if not constant_time_compare(secret, erasure.secret_of(number)):
        raise Http404
    found = erasure.find_closing(number)
    if found is None:
        raise Http404
    if request.method == "POST":
        try:
            erasure.keep_account(number)
        except erasure.TooLate:
            messages.error(request, _("This account cannot come back any more."))
        else:
            messages.success(request, _("Your account is as it was. Please sign in."))
            return redirect("account_login")
        return redirect(request.path)
    return render(request, "policy/erasure.html", {"closing": found, **_shown(found)})


def _rules(policy: Policy, receipt: forgetting.Receipt | None) -> list[str]:
    """The rules by which something of this person stays: not those that ended with the account."""
    kept = set(receipt.kept) if receipt is not None else set()
    return sorted(
        {
            row.rule
            for row in periods.stays(policy)
            if row.column.rpartition(".")[0] in kept and policy.keep[row.rule].trigger != "closure"
        }
    )


def _shown(found: erasure.Closing) -> dict[str, Any]:
    policy = policy_queries.get_current().policy
    known = policy.recipients
    receipt = found.receipt
    duties = receipt.duties if receipt is not None else ()
    return {
        "receipt": receipt,
        "gone": sum(receipt.gone.values()) if receipt is not None else 0,
        "kept": sum(receipt.kept.values()) if receipt is not None else 0,
        "told": [
            (known[one.processor].name if one.processor in known else one.processor, one) for one in duties
        ],
        "rules": [policy.keep[name] for name in _rules(policy, receipt)],
        "clocks": policy.clocks,
    }


urlpatterns = [path("privacy/erasure/<str:number>/<str:secret>/", closing, name="privacy_erasure")]
