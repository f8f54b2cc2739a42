"""The public pages of the privacy policy: the page itself, its versions, what changed, and its files.

Every page is rendered from the version in force; nothing here holds a sentence about data.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.views.decorators.http import require_GET, require_POST, require_safe

from tollkeeper.privacy import badges, policy_queries, policy_store
from tollkeeper.privacy.policy_queries import Version
from tollkeeper.privacy.rendering import html, markdown, wellknown
from tollkeeper.privacy.rendering.california import render_california
from tollkeeper.privacy.rendering.changes import render_changes
from tollkeeper.privacy.rendering.document import Document, Section, encode
from tollkeeper.privacy.rendering.phrases import load
from tollkeeper.privacy.rendering.record import render_record
from tollkeeper.privacy.rendering.sharing import cookies
from tollkeeper.web.access import for_staff

MARKDOWN = "text/markdown; charset=utf-8"


def policy_language(language: str | None = None) -> str:
    """The policy's word for the language of this request: ``zh`` or ``en``."""
    return "zh" if (language or get_language() or "en").startswith("zh") else "en"


@lru_cache(maxsize=16)
def _body(number: int, documents_hash: str, language: str) -> tuple[SafeString, SafeString]:
    """The first layer of a stored page, and the sections below it; every word was escaped on the way."""
    first, *rest = policy_queries.get_version(number).page(language).sections
    below = Document(language, "", tuple(rest))
    return (
        mark_safe(html.render_section(first)),  # noqa: S308
        mark_safe(html.render_sections(below)),  # noqa: S308
    )


def _line(version: Version, language: str) -> str:
    """Number and dates of a version, as one line."""
    phrases = load(language)
    if version.state == "announced" and version.effective_on:
        return phrases("version.announced", n=version.number, date=phrases.date(version.effective_on))
    if version.activated_at is None:
        return phrases("version.draft")
    begin = phrases.date(version.activated_at.date())
    if version.ended_at:
        return phrases(
            "version.past", n=version.number, **{"from": begin, "to": phrases.date(version.ended_at.date())}
        )
    return phrases("version.line", n=version.number, date=begin)


def _current() -> Version:
    found = policy_queries.find_current()
    if found is None:
        raise Http404("no version of the policy is in force")
    return found


def _public(number: int) -> Version:
    found = policy_queries.find_public(number)
    if found is None:
        raise Http404("no such version")
    return found


def _page(request: HttpRequest, version: Version) -> HttpResponse:
    language = policy_language()
    document = version.page(language)
    first, rest = _body(version.number, version.documents_hash, language)
    return render(
        request,
        "policy/page.html",
        {
            "version": version,
            "line": _line(version, language),
            "title": document.title,
            "sections": document.sections[1:],
            "first": first,
            "rest": rest,
            "badges": _badges(version, language),
            "upcoming": [one for one in policy_queries.list_public() if one.state == "announced"],
        },
    )


def _badges(version: Version, language: str) -> list[str]:
    """The badges under the title of the version in force, as words."""
    if version.state != "active":
        return []
    phrases = load(language)
    return [
        phrases("glance.badge", regime=one.regime, n=one.controls, date=phrases.date(one.checked_at.date()))
        for one in badges.shown(timezone.now())
    ]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The policy in force."""
    return _page(request, _current())


@require_safe
def version_page(request: HttpRequest, number: int) -> HttpResponse:
    """A version as it was shown then."""
    return _page(request, _public(number))


@require_safe
def page_markdown(request: HttpRequest) -> HttpResponse:
    """The policy in force as Markdown; ``?language=zh`` for Chinese."""
    version, language = _current(), policy_language(request.GET.get("language"))
    text = markdown.render(version.page(language), _line(version, language))
    return HttpResponse(text, content_type=MARKDOWN)


@require_safe
def page_json(request: HttpRequest) -> HttpResponse:
    """The stored documents of the policy in force, in all its languages."""
    version = _current()
    pages: dict[str, Document] = {name: version.page(name) for name in version.policy.policy.languages}
    return HttpResponse(encode(pages), content_type="application/json")


@require_safe
def versions(request: HttpRequest) -> HttpResponse:
    """All versions with their dates, newest first."""
    language = policy_language()
    rows = [
        {"version": one, "line": _line(one, language), "reasons": _reasons(one, language)}
        for one in policy_queries.list_public()
    ]
    return render(request, "policy/versions.html", {"rows": rows, "history": _history(language)})


def _reasons(version: Version, language: str) -> list[str]:
    phrases = load(language)
    return [phrases(f"material.{reason}") for reason in version.reasons]


def _history(language: str) -> list[tuple[str, str]]:
    current = policy_queries.find_current()
    past = current.policy.history if current else ()
    return [(load(language).date(one.on), one.text[language]) for one in past]


@require_safe
def version_changes(request: HttpRequest, number: int) -> HttpResponse:
    """What a version changed, word by word."""
    version, language = _public(number), policy_language()
    before = policy_queries.find_before(number)
    policies = [one.policy for one in (version, before) if one is not None]
    document = render_changes(number, policy_queries.changes(number), language, policies)
    return _document(request, document, _line(version, language))


@require_safe
def feed(request: HttpRequest) -> HttpResponse:
    """All versions as an Atom feed."""
    return render(
        request,
        "policy/feed.xml",
        {
            "rows": [(one, _line(one, "en")) for one in policy_queries.list_public()],
            "base": settings.ENV.public_url,
        },
        content_type="application/atom+xml; charset=utf-8",
    )


@require_safe
def california(request: HttpRequest) -> HttpResponse:
    """The notice for people in California, alone."""
    version, language = _current(), policy_language()
    if not version.policy.regimes.ccpa.applies:
        raise Http404("the CCPA does not apply to this shop")
    return _document(request, render_california(version.policy, language), _line(version, language))


@require_safe
def cookie_page(request: HttpRequest) -> HttpResponse:
    """The cookie table, alone."""
    version, language = _current(), policy_language()
    phrases = load(language)
    section = Section("cookies", "", tuple(cookies(version.policy, phrases)))
    document = Document(language, phrases("section.cookies"), (section,))
    return _document(request, document, _line(version, language))


@for_staff
@require_GET
def record(request: HttpRequest) -> HttpResponse:
    """The record of processing activities, for operators; ``?format=md`` as Markdown."""
    version, language = _current(), policy_language()
    document = render_record(version.policy, language, timezone.now().date())
    if request.GET.get("format") == "md":
        return HttpResponse(markdown.render(document, _line(version, language)), content_type=MARKDOWN)
    return _document(request, document, _line(version, language))


def _document(request: HttpRequest, document: Document, line: str) -> HttpResponse:
    body = mark_safe(html.render_sections(document))  # noqa: S308 - escaped word by word
    return render(request, "policy/document.html", {"title": document.title, "line": line, "body": body})


@require_POST
def seen(request: HttpRequest, number: int) -> HttpResponse:
    """A person closes the notice of a change in the console."""
    if request.user.is_authenticated:
        policy_store.notice_seen(number, request.user.pk, timezone.now())
    return redirect("console")


@require_safe
def gpc_json(request: HttpRequest) -> HttpResponse:
    """``/.well-known/gpc.json``."""
    activated = _current().activated_at or timezone.now()
    return HttpResponse(wellknown.gpc(activated.date()), content_type="application/json")


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """``/.well-known/security.txt``; runs out a year from the beginning of this month, so it is stable."""
    today = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    text = wellknown.security_txt(_current().policy, settings.ENV.public_url, today + dt.timedelta(days=364))
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
def privacy_json(request: HttpRequest) -> HttpResponse:
    """``/.well-known/privacy.json``: the facts of the policy for programs."""
    version = _current()
    activated = version.activated_at or version.created_at
    text = wellknown.privacy_json(
        version.policy, settings.ENV.public_url, version.number, activated.date(), version.body_hash
    )
    return HttpResponse(text, content_type="application/json; charset=utf-8")


urlpatterns = [
    path("privacy/", page, name="privacy_policy"),
    path("privacy.md", page_markdown, name="privacy_markdown"),
    path("privacy.json", page_json, name="privacy_documents"),
    path("privacy/cookies/", cookie_page, name="privacy_cookies"),
    path("privacy/california/", california, name="privacy_california"),
    path("privacy/versions/", versions, name="privacy_versions"),
    path("privacy/versions/feed.xml", feed, name="privacy_feed"),
    path("privacy/versions/<int:number>/", version_page, name="privacy_version"),
    path("privacy/versions/<int:number>/changes/", version_changes, name="privacy_changes"),
    path("privacy/versions/<int:number>/seen/", seen, name="privacy_seen"),
    path("desk/privacy/record/", record, name="desk_privacy_record"),
    path(".well-known/gpc.json", gpc_json, name="wellknown_gpc"),
    path(".well-known/security.txt", security_txt, name="wellknown_security"),
    path(".well-known/privacy.json", privacy_json, name="wellknown_privacy"),
]
