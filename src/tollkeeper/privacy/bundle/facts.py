"""What Art. 15(1) asks to be told beside the data: from the policy in force and the log of disclosures."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.conf import settings

from tollkeeper.core.policy_nodes import Recipient, Words
from tollkeeper.core.policy_schema import Policy
from tollkeeper.kit import egress
from tollkeeper.privacy import choices, periods, policy_queries, restrictions
from tollkeeper.privacy.copying import Part
from tollkeeper.privacy.discovery import inventory


def _said(words: Words | None) -> dict[str, str]:
    return {} if words is None else {"en": words["en"], "zh": words["zh"]}


def _recipient(known: Recipient | None, row: egress.Received) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": row.processor,
        "purpose": row.purpose,
        "fields": list(row.fields),
        "messages": row.messages,
        "first_at": row.first_at.isoformat(),
        "last_at": row.last_at.isoformat(),
    }
    if known is not None:
        made |= {
            "name": known.name,
            "role": known.role,
            "service": _said(known.service),
            "country": known.country,
            "safeguard": {"tool": known.transfer.tool, "reference": known.transfer.reference},
        }
    return made


def _kept(
    policy: Policy, category: str, parts: dict[str, dt.datetime | dt.date | None]
) -> list[dict[str, Any]]:
    """Each period of a category, with the day on which its oldest row of this person ends."""
    made = []
    for name in policy.categories[category].keep:
        rule = policy.keep[name]
        starts = [
            start
            for label, start in parts.items()
            if start is not None
            and any(
                column.category == category and (keep := entry.keep_of(at)) is not None and keep.rule == name
                for entry in (inventory().models[label],)
                for at, column in entry.personal.items()
            )
        ]
        until = min((_day(start) for start in starts), default=None)
        made.append(
            {
                "rule": name,
                "days": rule.days,
                "counted_from": "your account is closed" if rule.trigger == "closure" else "the row",
                "text": _said(rule.text),
                "ground": _said(rule.ground),
                "law": rule.law,
                "oldest_until": (until + dt.timedelta(days=rule.days)).isoformat() if until else None,
            }
        )
    return made


def _day(value: dt.datetime | dt.date) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def facts_of(subject: uuid.UUID, parts: list[Part], made_at: dt.datetime) -> dict[str, Any]:
    """Everything of Art. 15(1) and (2) as one JSON object; texts are ``{"en", "zh"}``."""
    version = policy_queries.get_current()
    policy = version.policy
    starts = {part.label: periods.first_start(part.label, part.found) for part in parts}
    used = {
        column.category for part in parts for column in inventory().models[part.label].personal.values()
    } & set(policy.categories)
    shown = {name: one for name, one in policy.categories.items() if name in used}
    return {
        "made_at": made_at.isoformat(),
        "subject": str(subject),
        "shop": settings.SHOP_NAME,
        "policy": {"version": version.number, "hash": version.body_hash},
        "controller": {
            "name": policy.controller.legal_name,
            "address": list(policy.controller.address),
            "email": policy.controller.email,
        },
        "purposes": {
            name: {
                "title": _said(one.title),
                "basis": one.basis,
                "text": _said(one.text),
                "interest": _said(one.interest),
                "allowed_now": choices.may(subject, name),
            }
            for name, one in policy.purposes.items()
        },
        "categories": {
            name: {
                "title": _said(one.title),
                "text": _said(one.text),
                "purposes": list(one.purposes),
                "sources": list(one.sources),
                "kept": _kept(policy, name, starts),
            }
            for name, one in shown.items()
        },
        "sources": {
            name: {"title": _said(one.title), "text": _said(one.text)} for name, one in policy.sources.items()
        },
        "recipients": [
            _recipient(policy.recipients.get(row.processor), row) for row in egress.received_about(subject)
        ],
        "possible_recipients": {
            name: {"name": one.name, "when": _said(one.when)} for name, one in policy.recipients.items()
        },
        "transfers": {
            name: {"country": one.country, "tool": one.transfer.tool, "reference": one.transfer.reference}
            for name, one in policy.recipients.items()
            if one.transfer.tool != "none"
        },
        "safeguards": _said(policy.transfers.copies),
        "automated_decisions": {
            name: {
                "logic": _said(one.logic),
                "consequence": _said(one.consequence),
                "review": _said(one.review),
            }
            for name, one in policy.automated.decisions.items()
        },
        "rights": {
            "gdpr": list(policy.rights.gdpr),
            "ccpa": list(policy.rights.ccpa),
            "text": _said(policy.rights.text),
        },
        "authority": {
            "name": policy.authority.name,
            "url": str(policy.authority.url),
            "others": _said(policy.authority.others),
        },
        "restricted": restrictions.restricted(subject),
    }
