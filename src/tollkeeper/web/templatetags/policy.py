"""Template tags that bring words of the policy in force to other pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone
from django.utils.translation import get_language

from tollkeeper.core.policy_nodes import Words
from tollkeeper.privacy import policy_queries
from tollkeeper.privacy.rendering.notices import render_notice
from tollkeeper.privacy.rendering.phrases import load

register = template.Library()


def _language() -> str:
    return "zh" if (get_language() or "en").startswith("zh") else "en"


@register.filter
def said(words: Words) -> str:
    """A text of the policy in the language of the page."""
    return words[_language()]


@register.inclusion_tag("policy/notice.html")
def policy_notice(form: str) -> dict[str, Any]:
    """The short notice beside a form: ``{% policy_notice "contact" %}``; empty without a policy."""
    version = policy_queries.find_current()
    return {"notice": render_notice(version.policy, form, _language()) if version else None}


@register.inclusion_tag("policy/upcoming.html", takes_context=True)
def policy_changes(context: dict[str, Any]) -> dict[str, Any]:
    """What a signed-in person was not yet seen to know of changes of the policy."""
    request = context.get("request")
    person = getattr(request, "user", None)
    phrases = load(_language())
    rows = []
    if person is not None and person.is_authenticated:
        for one in policy_queries.open_notices(person.pk):
            rows.append(
                {
                    "number": one.version,
                    "day": phrases.date(one.effective_on),
                    "started": one.effective_on <= timezone.now().date(),
                    "reasons": [phrases(f"material.{reason}") for reason in one.reasons],
                }
            )
    return {"rows": rows, "csrf_token": context.get("csrf_token"), "request": request}
