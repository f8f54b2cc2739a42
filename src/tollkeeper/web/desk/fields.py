"""Fields that several forms of the desk have."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy

from tollkeeper.privacy import holds

DAY = forms.DateInput(attrs={"type": "date"})

_SETS = {
    "orders": gettext_lazy("Orders, payments, deliveries"),
    "calls": gettext_lazy("Calls, units, keys"),
    "support": gettext_lazy("Letters and files"),
    "account": gettext_lazy("Account and sessions"),
    "requests": gettext_lazy("Requests, choices, disclosures"),
}
GROUNDS = {
    "claim": gettext_lazy("A legal claim of ours or theirs"),
    "preservation": gettext_lazy("An authority asked to keep it"),
    "tax_audit": gettext_lazy("A tax audit"),
    "request": gettext_lazy("The person asked for it (Art. 18(1)(b), (c))"),
    "crime": gettext_lazy("A crime is under investigation"),
}


def record_sets() -> list[tuple[str, str]]:
    """The record sets by name, as choices."""
    return [(name, str(_SETS.get(name, name))) for name in holds.RECORD_SETS]
