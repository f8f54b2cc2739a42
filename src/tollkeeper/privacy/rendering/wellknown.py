"""The files of ``/.well-known/``: the privacy signal, security contact, and the policy as JSON."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from tollkeeper.core.policy_schema import Policy

_ARTICLES = {"contract": "A6-1-b", "law": "A6-1-c", "interest": "A6-1-f", "consent": "A6-1-a"}
_DPV = "https://w3id.org/dpv/legal/eu/gdpr#"


def gpc(activated_on: dt.date) -> str:
    """``gpc.json`` (Global Privacy Control): we honour the signal, since when."""
    return json.dumps({"gpc": True, "lastUpdate": activated_on.isoformat()}) + "\n"


def security_txt(policy: Policy, base: str, expires_at: dt.datetime) -> str:
    """``security.txt`` (RFC 9116). ``base`` is the site's address without a final slash."""
    languages = {"en": "en", "zh": "zh-Hans"}
    return (
        f"Contact: mailto:{policy.contact.security_email}\n"
        f"Contact: {base}{policy.contact.form}\n"
        f"Expires: {expires_at:%Y-%m-%dT%H:%M:%SZ}\n"
        f"Preferred-Languages: {', '.join(languages[name] for name in policy.contact.languages)}\n"
        f"Canonical: {base}/.well-known/security.txt\n"
        f"Policy: {base}/privacy/#security\n"
    )


def privacy_json(policy: Policy, base: str, number: int, activated_on: dt.date, digest: str) -> str:
    """The facts of the policy for programs: who, what, why, how long, to whom, and which rights."""
    tree: dict[str, Any] = {
        "version": number,
        "activated_on": activated_on.isoformat(),
        "sha256": digest,
        "page": f"{base}/privacy/",
        "controller": {
            "name": policy.controller.legal_name,
            "country": policy.controller.country,
            "email": policy.controller.email,
        },
        "purposes": {
            name: {
                "title": one.title.en,
                "basis": one.basis,
                "basis_iri": _DPV + _ARTICLES[one.basis],
            }
            for name, one in policy.purposes.items()
        },
        "categories": {
            name: {
                "title": one.title.en,
                "fides": one.fides,
                "purposes": list(one.purposes),
                "keep_days": max(policy.keep[rule].days for rule in one.keep),
                "optional": one.optional,
            }
            for name, one in policy.categories.items()
        },
        "recipients": {
            name: {
                "name": one.name,
                "role": one.role,
                "countries": [one.country, *one.countries],
                "categories": list(one.categories),
                "transfer": one.transfer.tool,
            }
            for name, one in policy.recipients.items()
        },
        "cookies": {
            name: {"need": one.need, "days": one.days, "storage": one.storage}
            for name, one in policy.cookies.registry.items()
        },
        "rights": {"gdpr": list(policy.rights.gdpr), "ccpa": list(policy.rights.ccpa)},
        "requests": f"{base}{policy.rights.public_form}",
        "sells_or_shares": False,
        "gpc": True,
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"
