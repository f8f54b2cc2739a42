"""How allauth speaks to the world here: by our mail, without a site table."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import get_language

from tollkeeper.accounts import queries
from tollkeeper.kit import egress, mail
from tollkeeper.kit.bound import normalise_email


class AccountAdapter(DefaultAccountAdapter):
    """Mails as text and HTML in the shop's name; addresses in one form."""

    def new_user(self, request: HttpRequest) -> Any:
        """Somebody who signs up gets their mails in the language of the page, until they choose another."""
        user: Any = super().new_user(request)
        language = get_language() or ""
        if language in dict(settings.LANGUAGES):
            user.language = language
        return user

    def clean_email(self, email: str) -> str:
        return normalise_email(super().clean_email(email))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """allauth's mails (codes, confirmations, warnings) stand in the log of disclosures under the person
        whose address it is. Who is restricted still gets in: to use their rights, which is the law's duty."""
        user = context.get("user") or queries.find_user(email)
        subject = user.pk if user is not None else None
        purpose = "legal" if subject and egress.stopped("mail", "auth", subject) else "auth"
        with egress.about(subject=subject, purpose=purpose):
            super().send_mail(template_prefix, email, context)

    def format_email_subject(self, subject: Any) -> str:
        return str(subject)

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMultiAlternatives:
        """allauth's text templates, set into our frame."""
        values = {**context, "brand": settings.SHOP_NAME, "url": settings.PUBLIC_URL}
        subject = " ".join(render_to_string(f"{template_prefix}_subject.txt", values).split())
        text = render_to_string(f"{template_prefix}_message.txt", values).strip() + "\n"
        to = [email] if isinstance(email, str) else email
        message = EmailMultiAlternatives(subject, text, self.get_from_email(), to, headers=headers)
        message.attach_alternative(mail.framed(subject, text, values), "text/html")
        return message

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # without django.contrib.sites; the cache stores keyed hashes of keys only
        return f"{settings.SHOP_NAME}:{credentials.get('email', '').lower()}"


class MFAAdapter(DefaultMFAAdapter):
    """Second factors; their secrets are sealed as a whole by ``accounts.resealing``."""

    def _get_user_identifier(self, user: Any) -> str:
        """What an authenticator app shows to its owner: the address, never stored with us there."""
        return queries.find_email(user.pk) or str(user)

    def get_totp_issuer(self) -> str:
        return settings.SHOP_NAME
