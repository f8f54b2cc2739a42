"""The policy itself: its parts, its date, its versions, and the telling of changes."""

from __future__ import annotations

from tollkeeper.privacy import policy_queries, policy_store
from tollkeeper.privacy.rendering.document import digest, encode
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, probe, require

PAGE = "/privacy/"
_PARTS = ("collection", "use", "retention", "security")


@probe("T-01", "G-02")
def date(ctx: Context) -> Evidence:
    """The date on the page is that of the version in force, whose words are those that were hashed."""
    version = policy_queries.get_current()
    require(version.body_hash == ctx.policy_hash, "the policy's file is not the version in force")
    require(version.activated_at is not None, "the version in force has no date")
    assert version.activated_at is not None
    pages = {str(name): version.page(name) for name in version.policy.policy.languages}
    require(digest(encode(pages)) == version.documents_hash, "the stored page is not what was hashed")
    answer = ctx.get(PAGE)
    require(answer.status == 200, "the policy's page does not answer", status=answer.status)
    day = version.activated_at.date()
    shown = (f"{day.day} {day:%B %Y}", day.isoformat(), f"{day:%B} {day.day}, {day.year}")
    require(any(text.encode() in answer.body for text in shown), "the page does not show the version's date")
    return {
        "version": version.number,
        "activated_on": day.isoformat(),
        "policy_hash": version.body_hash,
        "page_hash": version.documents_hash,
    }


@probe("T-02", "G-07")
def explains(ctx: Context) -> Evidence:
    """The page has its parts on collecting, using, keeping and protecting, and they are not empty."""
    page = policy_queries.get_current().page("en")
    parts = {section.id: len(section.blocks) for section in page.sections}
    missing = [name for name in _PARTS if not parts.get(name)]
    require(not missing, "the page lacks a part", parts=missing)
    return {"parts": parts, "languages": list(ctx.policy.policy.languages)}


@probe("T-38", "G-64")
def versions(ctx: Context) -> Evidence:
    """All versions stand as they were, each reachable by everybody."""
    mistakes = policy_store.rendering_mistakes()
    require(not mistakes, "a version is not what was stored", mistakes=list(mistakes))
    listed = policy_queries.list_public()
    require(bool(listed), "no version was ever in force")
    closed = [one.number for one in listed if ctx.get(f"{PAGE}versions/{one.number}/").status != 200]
    require(not closed, "a past version cannot be read", versions=closed)
    return {
        "versions": {str(one.number): one.body_hash[:16] for one in listed},
        "dates": {str(one.number): str(one.activated_at)[:10] for one in listed},
    }


@probe("T-39", "G-65")
def told(ctx: Context) -> Evidence:
    """Every material version was announced before it started, and the notices went out."""
    facts = {}
    for one in policy_queries.list_public():
        counts = policy_queries.notice_counts(one.number)
        if one.material and one.activated_at is not None and one.announced_at is not None:
            require(
                one.announced_at <= one.activated_at,
                "a version started before it was announced",
                version=one.number,
            )
        facts[str(one.number)] = {
            "material": one.material,
            "reasons": list(one.reasons),
            "notices": counts.due,
            "sent": counts.sent,
            "bounced": counts.bounced,
        }
    return {"versions": facts, "days_ahead": ctx.policy.changes.notice_days}


@probe("G-66")
def differences(ctx: Context) -> Evidence:
    """The page of differences stands for every version, and the feed names each."""
    listed = policy_queries.list_public()
    pages = {str(one.number): ctx.get(f"{PAGE}versions/{one.number}/changes/").status for one in listed}
    broken = {number: status for number, status in pages.items() if status != 200}
    require(not broken, "a page of differences does not answer", pages=broken)
    feed = ctx.get(f"{PAGE}versions/feed.xml")
    require(feed.status == 200, "the feed does not answer", status=feed.status)
    return {
        "changes": {str(one.number): len(policy_queries.changes(one.number)) for one in listed},
        "pages": pages,
        "feed_bytes": len(feed.body),
    }
