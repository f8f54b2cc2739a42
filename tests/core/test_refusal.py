"""What a command tells in one sentence: whatever refuses is of one kind."""

from __future__ import annotations

import pytest

from tollkeeper.catalog.mistakes import BadShop
from tollkeeper.config.environment import BadEnvironment
from tollkeeper.core.policy import BadPolicy
from tollkeeper.core.refusal import Refused
from tollkeeper.kit.backups import CannotBackUp
from tollkeeper.privacy.bundle.reading import BadCopy
from tollkeeper.privacy.policy_queries import NoPolicy
from tollkeeper.proofs.running import UnknownPromise


@pytest.mark.parametrize(
    "kind", [BadShop, BadPolicy, BadEnvironment, CannotBackUp, BadCopy, NoPolicy, UnknownPromise]
)
def test_what_a_command_tells_is_a_refusal(kind: type[Exception]) -> None:
    assert issubclass(kind, Refused)


def test_its_text_is_the_sentence() -> None:
    assert str(Refused("there is no such person")) == "there is no such person"
