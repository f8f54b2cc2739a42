"""The ledger of choices."""

import hashlib

import pytest
from django.conf import settings

from tollkeeper.accounts import services
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import choices

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


@pytest.fixture(autouse=True)
def policy(db: None) -> None:
    load_policy(settings.SHOP / "policy.toml")


def test_the_last_word_counts() -> None:
    person = services.create_person("ada@example.org", None)
    assert choices.may(person.pk, "improve")
    for action, expected in (("object", False), ("allow", True), ("object", False)):
        choices.choose(action, "improve", subject=person.pk, source="console", text="shown")
        assert choices.may(person.pk, "improve") is expected
    lines = choices.history(person.pk)
    assert [line.action for line in lines] == ["object", "allow", "object"]
    assert {line.text_hash for line in lines} == {hashlib.sha256(b"shown").hexdigest()}
    assert choices.may(services.create_person("bob@example.org", None).pk, "improve")


def test_a_browser_without_an_account_may_choose() -> None:
    choices.choose("opt_out", choices.GPC, browser="b" * 32, source="gpc")


def test_bad_choices_are_refused() -> None:
    person = services.create_person("ada@example.org", None)
    with pytest.raises(choices.UnknownPurpose):
        choices.choose("give", "marketing", subject=person.pk, source="form")
    with pytest.raises(choices.UnknownPurpose):
        choices.may(person.pk, "marketing")
    with pytest.raises(ValueError, match="one of"):
        choices.choose("maybe", "improve", subject=person.pk, source="form")
    with pytest.raises(ValueError, match="person or a browser"):
        choices.choose("give", "improve", source="form")
