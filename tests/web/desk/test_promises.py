"""Words of people and the audit plan, at the desk and on the command line."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from typer.testing import CliRunner

from tests.web.story import Story, Strict
from tollkeeper import proofs
from tollkeeper.cli.main import build
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import audit
from tollkeeper.kit.trail.models import Entry
from tollkeeper.privacy import attestations, reviews
from tollkeeper.privacy.models import Review
from tollkeeper.proofs import running

PAGE = "desk_promises"


@pytest.fixture
def policy(story: Story) -> None:
    load_policy(settings.SHOP / "policy.toml")
    running.load_probes()


def status(promise: str) -> str:
    (row,) = proofs.run([promise])
    return row.status


def sign(story: Story, **facts: str) -> str:
    until = str(timezone.now().date() + dt.timedelta(days=90))
    sent = {"promise": "T-19", "role": "privacy", "until": until, **facts}
    answer = story.client(story.staff).post(reverse("desk_promises_attest"), sent, follow=True)
    text = answer.content.decode()
    assert Strict(text).wrong == []
    return text


def test_without_a_word_the_promise_is_broken_and_a_persons_word_mends_it(story: Story, policy: None) -> None:
    assert status("T-19") == "BROKEN"
    assert "Your word is signed" in sign(story)
    assert status("T-19") == "ATTESTED"
    (word,) = attestations.history()
    assert word.by == audit.person(story.staff.pk)
    assert word.genuine
    entry = Entry.objects.get(seq=word.entry)
    assert (entry.verb, entry.actor, entry.object) == ("promise.given", word.by, "promise:T-19")
    assert audit.verify_trail().ok


def test_a_word_that_ran_out_breaks_its_promise(
    story: Story, policy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(story)
    later = timezone.now() + dt.timedelta(days=91)
    monkeypatch.setattr("tollkeeper.proofs.context.timezone.now", lambda: later)
    assert status("T-19") == "BROKEN"


def test_a_word_covers_what_the_policy_said_then(
    story: Story, policy: None, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(story)
    text = (settings.SHOP / "policy.toml").read_text()
    (tmp_path / "policy.toml").write_text(text.replace("Hosting Example B.V.", "Other Hosting B.V."))
    monkeypatch.setattr(settings, "SHOP", tmp_path)
    (row,) = proofs.run(["T-19"])
    assert row.status == "BROKEN"
    assert row.evidence["why"] == "what a person vouched for is not what the policy says now"


def test_a_word_is_taken_back(story: Story, policy: None) -> None:
    sign(story)
    desk = story.client(story.staff)
    taken = desk.post(reverse("desk_promises_withdraw", args=["T-19"]), follow=True).content.decode()
    assert "Taken back" in taken
    assert status("T-19") == "BROKEN"
    assert [word.action for word in attestations.history()] == ["withdrawn", "given"]
    again = desk.post(reverse("desk_promises_withdraw", args=["T-19"]), follow=True).content.decode()
    assert "nobody vouches" in again


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"until": "2020-01-01"}, "is past"),
        ({"until": "2099-01-01"}, "two years at most"),
        ({"promise": "T-04"}, "Select a valid choice"),
        ({"role": "stand_in"}, "Select a valid choice"),
        ({"until": "soon"}, "Enter a valid date"),
    ],
)
def test_what_cannot_be_vouched_for(story: Story, policy: None, facts: dict[str, str], said: str) -> None:
    assert said in sign(story, **facts)
    assert attestations.history() == []


def test_a_word_that_somebody_changed_counts_for_nothing(story: Story, policy: None) -> None:
    sign(story)
    row = attestations.Attestation.objects.get()
    row.until += dt.timedelta(days=300)
    assert not attestations._word(row).genuine


def test_a_review_is_due_noted_and_due_again(
    story: Story, policy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, now = story.client(story.staff), timezone.now()
    assert [one.name for one in reviews.tasks(now) if one.kind == "review"] == []
    monkeypatch.setattr(reviews, "begun", lambda _: now.date() - dt.timedelta(days=93))
    page = desk.get(reverse("desk")).content.decode()
    assert "Who may see what" in page
    assert "Overdue" in page
    monkeypatch.undo()
    done = desk.post(reverse("desk_promises_review", args=["access"]), {"findings": "2"}, follow=True)
    assert "reckoned from today" in done.content.decode()
    row = Review.objects.get()
    assert (row.item, row.findings, row.by) == ("access", 2, audit.person(story.staff.pk))
    (line,) = [one for one in reviews.plan(_policy(), reviews.begun(now)) if one.name == "access"]
    assert line.due_on == now.date() + dt.timedelta(days=92)
    refused = desk.post(reverse("desk_promises_review", args=["nothing"]), follow=True).content.decode()
    assert "has no" in refused
    desk.post(reverse("desk_promises_review", args=["access"]), {"findings": "many"})
    assert Review.objects.count() == 1


def _policy():
    return reviews.policy_queries.get_current().policy


def test_an_overdue_review_breaks_the_promise_of_audits(story: Story, policy: None) -> None:
    sign(story, promise="T-28")
    assert status("T-28") == "ATTESTED"
    with pytest.MonkeyPatch.context() as at:
        at.setattr(reviews, "begun", lambda _: timezone.now().date() - dt.timedelta(days=120))
        assert status("T-28") == "BROKEN"


def test_the_page_is_for_the_privacy_role(story: Story, policy: None) -> None:
    text = story.client(story.staff).get(reverse(PAGE)).content.decode()
    assert Strict(text).wrong == []
    assert "nobody vouches for it" in text
    assert "Restoring a backup" in text
    for user in (None, story.owner):
        client = story.client(user) if user else story.client()
        assert client.get(reverse(PAGE)).status_code in (302, 404)


def test_both_on_the_command_line(story: Story, policy: None) -> None:
    def say(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(build(words[0]), list(words))
        return answer.exit_code, answer.output + str(answer.exception or "")

    until = str(timezone.now().date() + dt.timedelta(days=30))
    by = str(story.staff.pk)
    assert "nobody vouches" in say("attest")[1]
    assert say("attest", "T-19", "--by", str(story.owner.pk), "--until", until)[0] == 1
    assert say("attest", "T-19", "--by", by, "--until", "soon")[0] == 1
    assert say("attest", "T-99", "--by", by, "--until", until)[0] == 1
    assert say("attest", "T-19", "--by", by, "--as", "privacy", "--until", until)[0] == 0
    assert f"until {until}" in say("attest")[1]
    assert status("T-19") == "ATTESTED"
    assert say("attest", "T-19", "--by", by, "--withdraw")[0] == 0
    assert status("T-19") == "BROKEN"
    assert "access" in say("review")[1]
    assert say("review", "access")[0] == 1
    assert say("review", "nothing", "--by", by)[0] == 1
    assert say("review", "access", "--by", by, "--findings", "1")[0] == 0
    assert Review.objects.get().findings == 1
