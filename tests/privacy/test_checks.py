"""A column nobody declared refuses the boot, and so does every other mistake of an inventory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from tollkeeper.core.personal import Export, Inventory, Keep, Model, Personal, Plain, Table
from tollkeeper.kit.sealed import SealedTextField
from tollkeeper.privacy import checks
from tollkeeper.privacy.discovery import PolicyNames, installed_models, inventory, policy_names

NAMES = PolicyNames(
    {"account.nickname": (frozenset({"support"}), frozenset({"account", "calls"}))},
    frozenset({"support", "auth"}),
    {"account": "closure", "calls": "row", "tax": "row"},
)


@pytest.fixture
def _clean_registry() -> Iterator[None]:
    before = dict(apps.all_models["kit"])
    yield
    apps.all_models["kit"].clear()
    apps.all_models["kit"].update(before)
    apps.clear_cache()


def _model(name: str, **fields: Any) -> type[models.Model]:
    meta = type("Meta", (), {"app_label": "kit", **fields.pop("meta", {})})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})


def _owner() -> models.Field[Any, Any]:
    return models.ForeignKey("accounts.User", models.CASCADE, related_name="+")


KEEP = Keep("account")
GOOD = {"id": Plain("key"), "owner": Plain("link"), "note": Personal("account.nickname", "support")}


def _found(entry: Model | None, **fields: Any) -> list[str]:
    model = _model("Probe", owner=_owner(), note=models.TextField(), **fields)
    apps.all_models["kit"].pop("probe", None)
    apps.clear_cache()
    return sorted({str(error.id) for error in checks.check_model(model, entry, NAMES)})


def _entry(path: str = "owner", keep: Keep | None = KEEP, **columns: Any) -> Model:
    return Model(path=path, keep=keep, columns={**GOOD, **columns})


pytestmark = pytest.mark.usefixtures("_clean_registry")


def test_a_model_that_is_declared_as_it_is_passes() -> None:
    assert _found(_entry()) == []


def test_e1_no_inventory_a_missing_column_a_column_too_many() -> None:
    assert _found(None) == ["privacy.E1"]
    assert _found(_entry(), phone=models.TextField()) == ["privacy.E1"]
    assert _found(_entry(fax=Plain("config"))) == ["privacy.E1"]


def test_e1_what_is_said_of_sealing_must_be_so() -> None:
    told = Personal("account.nickname", "support", sealed=True)
    assert _found(_entry(note=told)) == ["privacy.E1"]
    sealed = {"nick": SealedTextField(subject="owner_id")}
    assert _found(_entry(nick=told), **sealed) == []
    assert _found(_entry(nick=Personal("account.nickname", "support")), **sealed) == ["privacy.E1"]


@pytest.mark.parametrize(
    "path",
    [
        "self",
        "nowhere",
        "note",
        "owner.groups",
        "detached:",
        "nobody:",
        "nobody: has personal columns nevertheless",
        "custom: tollkeeper.nothing",
        "note > accounts.Customer.public_id",
        "note > accounts.Nothing.owner",
        "nothing > accounts.Customer.owner",
    ],
)
def test_e2_no_way_to_the_subject(path: str) -> None:
    assert "privacy.E2" in _found(_entry(path, keep=Keep("calls", since="note")))


@pytest.mark.parametrize("path", ["owner", "note > accounts.Customer.owner", "custom: uuid.uuid4"])
def test_ways_that_end_at_a_user_pass(path: str) -> None:
    assert "privacy.E2" not in _found(_entry(path))


def test_e3_words_the_policy_does_not_have() -> None:
    assert _found(_entry(note=Personal("account.nick", "support"))) == ["privacy.E3"]
    assert _found(_entry(note=Personal("account.nickname", "support", "marketing"))) == ["privacy.E3"]
    assert _found(_entry(note=Personal("account.nickname", "auth"))) == ["privacy.E3"]


@pytest.mark.parametrize(
    "keep",
    [
        None,
        Keep("forever"),
        Keep("tax", since="owner.created_at"),
        Keep("calls"),
        Keep("calls", since="gone"),
        Keep("calls", since="note"),
    ],
)
def test_e5_no_period_or_none_that_can_be_carried_out(keep: Keep | None) -> None:
    assert _found(_entry(keep=keep)) == ["privacy.E5"]


def test_e5_a_period_counts_from_a_column() -> None:
    at = {"at": models.DateTimeField()}
    assert _found(_entry(keep=Keep("calls", since="at"), at=Plain("time")), **at) == []
    assert _found(_entry(keep=Keep("calls", since="owner.created_at"))) == []
    assert _found(_entry("detached: no link", keep=Keep("account"))) == ["privacy.E5"]


def test_e7_json_without_keys() -> None:
    column = {"facts": models.JSONField(default=dict)}
    assert _found(_entry(facts=Plain("config")), **column) == ["privacy.E7"]
    assert _found(_entry(facts=Plain("config", keys=("size",))), **column) == []


def test_e8_text_forms_that_show_personal_values() -> None:
    show = {"__str__": lambda self: f"note {self.note}"}
    assert _found(_entry(), **show) == []
    given = Personal("account.nickname", "support", export=Export.PROVIDED)
    assert _found(_entry(note=given), **show) == ["privacy.E8"]


@pytest.mark.parametrize(
    "meta",
    [
        {"ordering": ["-nick"]},
        {"indexes": [models.Index(fields=["nick"], name="n")]},
        {"constraints": [models.UniqueConstraint(fields=["nick"], name="u")]},
    ],
)
def test_e9_sealed_columns_that_are_sorted_or_compared(meta: dict[str, Any]) -> None:
    told = Personal("account.nickname", "support", sealed=True)
    found = _found(_entry(nick=told), nick=SealedTextField(subject="owner_id"), meta=meta)
    assert found == ["privacy.E9"]


def test_e4_a_category_nobody_stores() -> None:
    names = PolicyNames({"account.shoe_size": (frozenset(), frozenset())}, frozenset(), {})
    found = checks.check_all(Inventory({}, {}), names)
    assert any(error.id == "privacy.E4" and "shoe_size" in error.msg for error in found)


@pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
def test_e6_what_stands_in_the_database_beside_the_models() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE stray (id integer, phone text)")
        try:
            (error,) = [one for one in checks.check_tables(inventory(), "default") if "stray" in one.msg]
            assert error.id == "privacy.E6"
            known = Inventory({}, {**inventory().tables, "stray": Table(("id",), "a test")})
            (error,) = [one for one in checks.check_tables(known, "default") if "stray" in one.msg]
            assert "stray.phone" in error.msg
        finally:
            cursor.execute("DROP TABLE stray")


def test_every_column_of_this_installation_is_declared() -> None:
    assert [error.msg for error in checks.declared()] == []
    checks.require()


@pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
def test_the_databases_hold_nothing_else() -> None:
    assert [error.msg for error in checks.stored(databases=["default", "keystore"])] == []


def test_an_undeclared_column_refuses_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    full = inventory()
    user = full.models["accounts.User"]
    less = Model(
        path="self",
        keep=user.keep,
        columns={name: column for name, column in user.columns.items() if name != "nickname"},
    )
    poor = Inventory({**full.models, "accounts.User": less}, full.tables)
    monkeypatch.setattr(checks, "inventory", lambda: poor)
    with pytest.raises(checks.Undeclared, match=r"accounts\.User\.nickname"):
        checks.require()


def test_the_policy_is_read_where_the_shop_is(tmp_path: Path) -> None:
    text = '[keep.x]\ndays = 3\ntrigger = "row"\n[categories.a]\npurposes = ["p"]\nkeep = ["x"]\n'
    (tmp_path / "policy.toml").write_text(text)
    found = policy_names(tmp_path / "policy.toml")
    assert found == PolicyNames({"a": (frozenset("p"), frozenset("x"))}, frozenset(), {"x": "row"})
    assert "accounts.User" in installed_models()


def test_a_period_that_nothing_is_kept_by_is_refused() -> None:
    names = policy_names()
    assert checks.unused_periods(inventory(), names) == []
    more = replace(names, triggers={**names.triggers, "for_fun": "row"})
    (found,) = checks.unused_periods(inventory(), more)
    assert found.id == "privacy.E10"
    assert "for_fun" in str(found.msg)
    purposes, rules = names.categories["account.nickname"]
    odd = {**names.categories, "account.nickname": (purposes, rules | {"tax", "security"})}
    errors = checks.unused_periods(inventory(), replace(names, categories=odd))
    assert [error.id for error in errors] == ["privacy.E10"] * 2


@pytest.mark.parametrize("shop", ["twtapi", "gettoken"])
def test_each_shop_names_the_periods_that_are_used_and_no_others(shop: str) -> None:
    path = Path(__file__).resolve().parents[2] / "shops" / shop / "policy.toml"
    assert checks.unused_periods(inventory(), policy_names(path)) == []
