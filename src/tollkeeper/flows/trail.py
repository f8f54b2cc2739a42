"""The audit trail's own housekeeping: signed daily, checked daily, old segments dropped."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from tollkeeper.kit import audit
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.privacy import policy_queries

KEEP = "audit"
"""The keep rule of the policy that says how long entries are kept."""
_SLACK_DAYS = 31
"""Segments are whole months, so they go up to a month before their entries must."""


class TrailBroken(Exception):
    """The trail is not what was written: the number of the first bad entry, and why."""


@schedule("sign_audit_head", every_s=6 * 3600, purpose="security")
def sign_audit_head(context: Context) -> None:
    """Sign the end of the audit trail once a day and anchor it outside the book."""
    audit.sign_head(timezone.now().date())


@schedule("check_audit_trail", every_s=24 * 3600, purpose="security", attempts=1)
def check_audit_trail(context: Context) -> None:
    """Verify every entry and head; a broken trail is a dead job, which the desk shows."""
    verdict = audit.verify_trail()
    if not verdict.ok:
        raise TrailBroken(f"entry {verdict.broken}: {verdict.reason}")


@schedule("drop_audit_segment", every_s=24 * 3600, purpose="security")
def drop_audit_segment(context: Context) -> None:
    """Drop the months whose time is over, under a closing head, so that the rest still verifies."""
    version = policy_queries.find_current()
    rule = version.policy.keep.get(KEEP) if version else None
    if rule is not None:
        today = timezone.now().date()
        audit.drop_segment((today - dt.timedelta(days=rule.days - _SLACK_DAYS)).replace(day=1), today)
