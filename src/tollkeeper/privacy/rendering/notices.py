"""The short notice beside a form: who, what for, on which basis, how long, where to read more.

Each form of the site is named here with the categories it asks for; everything else follows
from the policy. A form that is not named here has no notice, and a test refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollkeeper.core.policy_schema import Policy
from tollkeeper.privacy.rendering.phrases import load


@dataclass(frozen=True, slots=True)
class Form:
    """What a form asks for, and the purposes it asks for."""

    categories: tuple[str, ...]
    purposes: tuple[str, ...]


FORMS = {
    "signup": Form(("account.email", "account.password", "account.nickname"), ("auth", "notice")),
    "login": Form(
        ("account.email", "account.password", "account.factors", "technical.ip"), ("auth", "security")
    ),
    "password": Form(("account.password",), ("auth",)),
    "email": Form(("account.email",), ("auth", "notice")),
    "factors": Form(("account.factors",), ("auth", "security")),
    "profile": Form(("account.nickname", "account.settings"), ("auth",)),
    "webhook": Form(("account.settings",), ("notice",)),
    "checkout": Form(("order", "payment"), ("order", "legal")),
    "key": Form(("key",), ("delivery", "security")),
    "contact": Form(("support",), ("support",)),
    "support": Form(("support",), ("support",)),
    "request": Form(("requests", "account.email"), ("legal",)),
    "minor": Form(("requests",), ("legal",)),
}


class NoNotice(KeyError):
    """A form that is not named in :data:`FORMS`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The notice of one form, as sentences and a link."""

    sentences: tuple[str, ...]
    more: str
    href: str


def render_notice(policy: Policy, form: str, language: str) -> Notice:
    """The notice for ``form``; raises :class:`NoNotice` for a form that is not named."""
    if form not in FORMS:
        raise NoNotice(form)
    asked, p = FORMS[form], load(language)
    categories = [policy.categories[name] for name in asked.categories]
    purposes = [policy.purposes[name] for name in asked.purposes]
    bases = dict.fromkeys(p(f"basis.{purpose.basis}") for purpose in purposes)
    rules = {name: policy.keep[name] for category in categories for name in category.keep}
    kept = dict.fromkeys(rule.text[language] for rule in sorted(rules.values(), key=lambda rule: rule.days))
    receivers = [
        p(f"notice.kind.{one.kind}")
        for one in policy.recipients.values()
        if one.role != "authority"
        and one.kind != "hosting"
        and set(one.categories) & set(asked.categories)
        and set(one.purposes) & set(asked.purposes)
    ]
    optional = [category.title[language] for category in categories if category.optional]
    head = p("notice.controller", service=policy.policy.service, name=policy.controller.legal_name)
    what = p("notice.purposes", purposes=p.semicolon.join(purpose.title[language] for purpose in purposes))
    sentences = [
        head + p("mark.space") + what,
        p("notice.basis", basis=p.semicolon.join(bases)),
        p("notice.kept", kept=p.semicolon.join(kept)),
    ]
    if receivers:
        sentences.append(p("notice.recipients", recipients=p.comma.join(dict.fromkeys(receivers))))
    if optional:
        sentences.append(p("notice.optional", fields=p.comma.join(optional)))
    sentences.append(p("notice.rights"))
    anchor = f"#purpose-{asked.purposes[0]}"
    return Notice(tuple(sentences), p("notice.more"), f"/privacy/{anchor}")
