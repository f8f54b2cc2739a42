"""``shop check`` prints what is sold, or every mistake; the exit code tells which."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from tests.catalog.shops import SMALL, write
from tollkeeper.cli.shop import app

run = CliRunner().invoke
POLICY = Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml"


def with_policy(folder: Path) -> Path:
    (folder / "policy.toml").write_text(POLICY.read_text())
    return folder


def test_a_right_shop_is_shown() -> None:
    result = run(app, ["twtapi"])
    assert result.exit_code == 0, result.output
    assert "TwtAPI" in result.output
    assert "search-posts" in result.output
    assert "no mistakes" in result.output


def test_a_wrong_shop_names_every_mistake(tmp_path: Path) -> None:
    folder = with_policy(write(tmp_path, SMALL.replace("9.90", "-1").replace('country = "DE"', "")))
    result = run(app, [str(folder)])
    assert result.exit_code == 1
    assert "shop.toml:20: plans.basic.prices[0].amount: -1 is negative" in result.output
    assert "shop.toml:6: seller.country: is missing" in result.output
    assert "2 to correct" in result.output


def test_json_is_one_object(tmp_path: Path) -> None:
    result = run(app, [str(with_policy(write(tmp_path, "x"))), "--json"])
    assert result.exit_code == 1
    shown = json.loads(result.output)
    assert shown["ok"] is False
    assert shown["mistakes"][0]["line"] == 1
    assert json.loads(run(app, ["twtapi", "--json"]).output)["ok"] is True


def test_a_shop_that_is_not_there() -> None:
    result = run(app, ["nowhere"])
    assert result.exit_code == 1
    assert "is not there" in result.output
    assert "Traceback" not in result.output


def test_mistakes_of_the_policy_are_named_too(tmp_path: Path) -> None:
    folder = with_policy(write(tmp_path, SMALL))
    policy = folder / "policy.toml"
    policy.write_text(policy.read_text().replace("authority_hours = 72", "authority_hours = 96"))
    result = run(app, [str(folder)])
    assert result.exit_code == 1
    assert "breach.authority_hours: input should be less than or equal to 72" in result.output
    policy.unlink()
    assert "policy.toml: is missing" in run(app, [str(folder)]).output
