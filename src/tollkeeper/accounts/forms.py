"""Forms of ours that allauth uses (``ACCOUNT_FORMS``)."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import SignupForm
from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class SignUp(SignupForm):
    """Address, password, and the word of the person that they are old enough: no date is asked or kept."""

    old_enough = forms.BooleanField(
        error_messages={"required": _("Without this an account cannot be opened. Nothing was stored.")}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_enough"].label = _("I am %(age)s or older.") % {"age": settings.SIGN_UP_AGE}
