"""GET /desk/money/: what banks and accountants want. Customers stand here by number only."""

from __future__ import annotations

import datetime as dt
import json
import uuid

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.core import money
from tollkeeper.core.refusal import Refused
from tollkeeper.core.statement import BadStatement
from tollkeeper.flows import accounting, bank, dispute
from tollkeeper.flows import comparing as compare_flow
from tollkeeper.payments import comparing, transfers
from tollkeeper.payments import queries as payments
from tollkeeper.payments.providers import ProviderError
from tollkeeper.sales import queries as sales
from tollkeeper.sales.services import NoSuchOrder
from tollkeeper.web.access import for_staff
from tollkeeper.web.downloads import as_file

_SHOWN = 8
"""Mistakes of a file that a message names."""


class StatementForm(forms.Form):
    """A bank's CSV file."""

    file = forms.FileField(
        label=gettext_lazy("Bank statement (CSV)"),
        help_text=gettext_lazy("Date, amount and text; only incoming lines are taken, each once ever."),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )
    currency = forms.CharField(label=gettext_lazy("Currency"), min_length=3, max_length=3)


class TransferForm(forms.Form):
    """Money that somebody has seen come."""

    amount = forms.CharField(label=gettext_lazy("Amount"), max_length=20)
    booked_on = forms.DateField(
        label=gettext_lazy("Booked on"), widget=forms.DateInput(attrs={"type": "date"})
    )
    mark = forms.CharField(
        label=gettext_lazy("The bank's own number of it"),
        max_length=50,
        help_text=gettext_lazy("The same number twice counts once."),
    )


class SpanForm(forms.Form):
    """Days of the books; the last one is included."""

    since = forms.DateField(label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=gettext_lazy("To"), widget=forms.DateInput(attrs={"type": "date"}))


@require_safe
@for_staff
def money_page(request: HttpRequest) -> HttpResponse:
    """Disputes, transfers, refunds to be sent, and the journal."""
    today = timezone.now().date()
    month = today.replace(day=1)
    return render(
        request,
        "desk/money.html",
        {
            "disputes": [(row, sales.order_by_id(row.order_id)) for row in payments.open_disputes()],
            "transfers": [(row, order, _WHY[why]) for row, order, why in bank.open_transfers()],
            "refunds": [(row, sales.order_by_id(row.order_id)) for row in payments.refunds_by_hand()],
            "findings": comparing.open_findings(),
            "statement_form": StatementForm(
                initial={"currency": catalog.current_shop().currency}, auto_id="statement_%s"
            ),
            "span_form": SpanForm(initial={"since": month, "until": today}, auto_id="span_%s"),
        },
    )


@require_POST
@for_staff
def statement(request: HttpRequest) -> HttpResponse:
    """POST /desk/money/statement/: all lines of the file or none."""
    form = StatementForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, _("Choose a file and name its currency."))
        return redirect("desk_money")
    try:
        made = bank.import_statement(
            form.cleaned_data["file"].read(),
            form.cleaned_data["currency"].strip().upper(),
            actor=request.user.pk,
        )
    except BadStatement as bad:
        messages.error(request, _("Nothing was taken: %s") % "; ".join(bad.mistakes[:_SHOWN]))
        return redirect("desk_money")
    text = ngettext("%d new transfer", "%d new transfers", made.fresh) % made.fresh
    told = {"new": text, "matched": made.matched, "known": made.known}
    messages.success(request, _("%(new)s, %(matched)d of them matched, %(known)d known already.") % told)
    return redirect("desk_money")


@require_POST
@for_staff
def assign(request: HttpRequest, transfer_id: int) -> HttpResponse:
    """POST /desk/money/transfers/<id>/: say which order a transfer is for."""
    number = request.POST.get("number", "").strip().upper()
    try:
        bank.assign_transfer(transfer_id, number, actor=request.user.pk)
    except NoSuchOrder:
        messages.error(request, _("There is no order %s.") % number)
    except LookupError:
        messages.warning(request, _("Somebody was faster: this transfer is no task any more."))
    except ProviderError:
        messages.warning(request, _("Noted. The provider did not answer; the sweeper goes on asking."))
    else:
        if any(row.transfer_id == transfer_id for row in transfers.unmatched()):
            messages.warning(request, _("It is assigned, and does not pay the order: see why below."))
        else:
            messages.success(request, _("The transfer counts for its order now."))
    return redirect("desk_money")


@require_POST
@for_staff
def transfer_returned(request: HttpRequest, transfer_id: int) -> HttpResponse:
    """POST /desk/money/transfers/<id>/back/: it paid for nothing and was sent back."""
    try:
        bank.send_back(transfer_id, actor=request.user.pk)
    except LookupError:
        messages.warning(request, _("Somebody was faster: this transfer is no task any more."))
    else:
        messages.success(request, _("Noted: the money went back."))
    return redirect("desk_money")


@require_POST
@for_staff
def transfer_enough(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/enough/: what came by transfer is taken for the whole price."""
    if sales.find_order(number) is None:
        raise Http404
    try:
        bank.take_for_the_whole(number, actor=request.user.pk)
    except Refused as no:
        messages.error(request, str(no))
    except ProviderError:
        messages.warning(request, _("Noted. The provider did not answer; the sweeper goes on asking."))
    else:
        messages.success(request, _("Taken for the whole price; the difference is credited."))
    return redirect("desk_order", number)


@require_POST
@for_staff
def compare(request: HttpRequest) -> HttpResponse:
    """POST /desk/money/compare/: lay our books beside the provider's once more."""
    with transaction.atomic():
        compare_flow.compare_now(f"desk:{timezone.now():%Y%m%d%H%M}")
    messages.success(request, _("The books are being compared; look again in a minute."))
    return redirect("desk_money")


@require_POST
@for_staff
def finding_settled(request: HttpRequest, finding_id: int) -> HttpResponse:
    """POST /desk/money/findings/<id>/: a person has settled what does not agree."""
    if compare_flow.settle(finding_id, actor=request.user.pk):
        messages.success(request, _("Settled."))
    return redirect("desk_money")


_WHY = {
    "unknown": gettext_lazy("names no order of ours"),
    "currency": gettext_lazy("another currency than the order's"),
    "too_little": gettext_lazy("too little for its order"),
    "ended": gettext_lazy("its order has ended"),
    "twice": gettext_lazy("its order is paid already"),
}


@require_POST
@for_staff
def transfer_seen(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/orders/<number>/transfer/: an operator saw the money on the account."""
    order = sales.find_order(number)
    if order is None:
        raise Http404
    form = TransferForm(request.POST)
    try:
        if not form.is_valid():
            raise money.BadAmount(_("Amount, day and the bank's number are needed."))
        given = form.cleaned_data
        amount = money.parse(given["amount"], order.currency)
        bank.confirm_transfer(number, amount, given["booked_on"], mark=given["mark"], actor=request.user.pk)
    except ValueError as wrong:
        messages.error(request, str(wrong))
    except ProviderError:
        messages.warning(request, _("Noted. The provider did not answer; the sweeper goes on asking."))
    else:
        messages.success(request, _("Noted."))
    return redirect("desk_order", number)


@require_POST
@for_staff
def refund_sent(request: HttpRequest, refund_id: uuid.UUID) -> HttpResponse:
    """POST /desk/money/refunds/<id>/: a refund was sent by transfer."""
    if str(refund_id) not in {str(row.refund_id) for row in payments.refunds_by_hand()}:
        raise Http404
    bank.refund_sent(str(refund_id), actor=request.user.pk)
    messages.success(request, _("Noted: the money went back."))
    return redirect("desk_money")


@require_safe
@for_staff
def evidence(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """GET /desk/disputes/<id>/evidence/: what we can show the bank, as a file."""
    if dispute_id not in {row.dispute_id for row in payments.open_disputes()}:
        raise Http404
    text = json.dumps(dispute.evidence(dispute_id), indent=2, ensure_ascii=False)
    return as_file(text, f"evidence-{dispute_id}.json", "application/json")


@require_POST
@for_staff
def hand_in(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """POST /desk/disputes/<id>/send/: hand the evidence in at the provider."""
    if dispute_id not in {row.dispute_id for row in payments.open_disputes()}:
        raise Http404
    dispute.hand_in(dispute_id, actor=request.user.pk)
    messages.success(request, _("The evidence is on its way to the bank."))
    return redirect("desk_money")


@require_safe
@for_staff
def journal(request: HttpRequest) -> HttpResponse:
    """GET /desk/money/journal.csv?since=&until=: the books of a span of days."""
    form = SpanForm(request.GET)
    if not form.is_valid():
        return HttpResponse(_("Name two days: ?since=2027-01-01&until=2027-01-31"), status=400)
    since, until = form.cleaned_data["since"], form.cleaned_data["until"]
    try:
        text = accounting.journal_csv(since, until + dt.timedelta(days=1), live=settings.ENV.live)
    except ValueError as wrong:
        return HttpResponse(str(wrong), status=400)
    return as_file(text, f"journal-{since}-{until}.csv", "text/csv; charset=utf-8")
