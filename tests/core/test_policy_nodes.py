"""Single nodes: strict types, no repeated names, texts in their languages."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tollkeeper.core.policy_nodes import Category, Contract, Words

CATEGORY = {
    "title": {"en": "A"},
    "text": {"en": "B"},
    "group": "account",
    "purposes": ["auth"],
    "sources": ["you"],
    "keep": ["account"],
    "fides": "user.contact.email",
    "ccpa": ["A"],
}


def refused(**changed: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Category.model_validate({**CATEGORY, **changed})
    return str(caught.value)


def test_a_whole_node_is_read_and_cannot_be_changed():
    node = Category.model_validate(CATEGORY)
    assert node.purposes == ("auth",)
    with pytest.raises(ValidationError):
        node.group = "usage"  # type: ignore[misc]


@pytest.mark.parametrize(
    "changed",
    [
        {"optional": "true"},
        {"optional": 1},
        {"purposes": []},
        {"purposes": "auth"},
        {"purposes": ["Auth"]},
        {"purposes": ["auth", "auth"]},
        {"fides": "email"},
        {"ccpa": ["Z"]},
        {"group": "other"},
        {"title": {"en": ""}},
        {"title": {"de": "A"}},
        {"retention": "as needed"},
    ],
)
def test_what_is_not_of_the_form_is_refused(changed):
    assert next(iter(changed)) in refused(**changed)


def test_a_missing_translation_falls_back_to_english():
    assert Words(en="A")["zh"] == "A"
    assert Words(en="A", zh="甲")["zh"] == "甲"


def test_dates_are_dates():
    with pytest.raises(ValidationError):
        Contract.model_validate({"kind": "processing", "reference": "A", "until": "soon"})
