"""The words of the inventory."""

import pytest

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain


def test_a_personal_column_needs_a_purpose() -> None:
    with pytest.raises(ValueError, match="purpose"):
        Personal("account.email")
    column = Personal("account.email", "auth", "notice", sealed=True)
    assert column.purposes == ("auth", "notice")
    assert (column.erase, column.export, column.keep) == (OnErasure.DELETE, Export.OBSERVED, None)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("self", "self"),
        ("owner", "link"),
        ("customer.owner", "link"),
        ("customer_id > accounts.Customer.owner", "number"),
        ("custom: a.b.c", "custom"),
        ("detached: sessions are opened by their holder only", "detached"),
        ("nobody: counters", "nobody"),
    ],
)
def test_ways_to_the_subject_are_told_apart(path: str, kind: str) -> None:
    assert Model(path=path, columns={}).kind == kind


def test_a_column_may_have_a_period_of_its_own() -> None:
    short, long = Keep("calls", since="at"), Keep("order", since="at")
    model = Model(
        path="owner",
        keep=long,
        columns={
            "id": Plain("key"),
            "ip": Personal("technical.ip", "security", keep=short),
            "total": Personal("order", "order"),
        },
    )
    assert list(model.personal) == ["ip", "total"]
    assert model.keep_of("ip") == short
    assert model.keep_of("total") == long
    assert model.keep_of("id") == long
