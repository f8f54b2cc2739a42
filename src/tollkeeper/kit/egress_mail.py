"""Mail through the egress door: a relay is a processor like any other."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import EmailMessage

from tollkeeper.kit import egress, egress_guard

PROCESSOR = "mail"


class DoorBackend(EmailBackend):
    """Django's SMTP client, asked at the door for every message."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send what may leave; raises :class:`egress.Refused` before anything was sent."""
        if not email_messages:
            return 0
        for message in email_messages:
            fields = {"to", "subject", "body"}
            fields |= {"cc"} if message.cc else set()
            fields |= {"bcc"} if message.bcc else set()
            fields |= {"attachment"} if message.attachments else set()
            egress.pass_message(
                PROCESSOR,
                "notice",
                host=f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}",
                fields=frozenset(fields),
                size=len(message.message().as_bytes()),
                encrypted=bool(self.use_ssl or self.use_tls),
            )
        with egress_guard.opened():
            return super().send_messages(email_messages) or 0
