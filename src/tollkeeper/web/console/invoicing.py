"""Whom a customer's invoices are made out to, and the documents themselves as PDF."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from tollkeeper.flows import receipts, taxes
from tollkeeper.payments import buyers
from tollkeeper.payments.paper import NoFont
from tollkeeper.payments.queries import NoSuchDocument
from tollkeeper.web.access import for_customer
from tollkeeper.web.downloads import as_file


class BuyerForm(forms.Form):
    """What the law wants on an invoice; nobody has to want one."""

    name = forms.CharField(
        label=gettext_lazy("Company or name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )
    country = forms.CharField(
        label=gettext_lazy("Country"),
        max_length=2,
        help_text=gettext_lazy("Two letters, such as DE or FR. It decides the tax from now on."),
        widget=forms.TextInput(attrs={"autocomplete": "country", "autocapitalize": "characters"}),
    )
    vat_id = forms.CharField(
        label=gettext_lazy("VAT number"),
        required=False,
        max_length=20,
        help_text=gettext_lazy("Businesses in the European Union. We check it in the Union's register."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def buyer(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET and POST /console/settings/invoices/"""
    known = buyers.find_buyer(customer_id)
    posted = request.method == "POST"
    form = BuyerForm(request.POST if posted else None, initial=known or {}, auto_id="buyer_%s")
    if posted and "forget" in request.POST:
        buyers.forget_buyer(customer_id)
        messages.success(request, _("Forgotten. Documents that were issued stay as the law demands."))
        return redirect("console_buyer")
    if posted and form.is_valid():
        try:
            taxes.save_buyer(customer_id, **form.cleaned_data)
        except buyers.BadBuyer as bad:
            form.add_error(bad.field, str(bad))
        else:
            messages.success(request, _("Saved. Your next invoices are made out like this."))
            return redirect("console_buyer")
    values: dict[str, Any] = {"form": form, "buyer": known}
    return render(request, "console/buyer.html", values, status=422 if form.is_bound else 200)


@require_safe
@for_customer
def document_pdf(request: HttpRequest, customer_id: int, number: str, label: str) -> HttpResponse:
    """GET /console/orders/<number>/documents/<label>/pdf/: PDF/A-3 with the figures as XML inside."""
    try:
        content = receipts.pdf_of(customer_id, number, label)
    except NoSuchDocument:
        raise Http404 from None
    except NoFont:
        messages.warning(request, _("The PDF cannot be made at the moment. You can print this page."))
        return redirect("console_receipt", number, label)
    return as_file(content, f"{label}.pdf", "application/pdf")
