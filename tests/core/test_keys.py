from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import keys

randomness = st.binary(min_size=24, max_size=40)
FIXED = "tk_live_00A7dl5PEW67zZCpFU9uKaHnGgOvQKAR2dnRIg"
prefixes = st.sampled_from(keys.PREFIXES)


@given(randomness, prefixes)
def test_a_minted_key_is_well_formed_and_shows_nothing(random: bytes, prefix: str) -> None:
    key = keys.mint(random, prefix)
    assert key.text.startswith(prefix)
    assert len(key.text) == len(prefix) + 38
    assert keys.well_formed(key.text.encode())
    assert key.text not in repr(key)
    assert key.text[8:-4] not in f"{key} {[key]}"


@given(randomness, prefixes, st.data())
def test_one_wrong_character_is_noticed(random: bytes, prefix: str, data: st.DataObject) -> None:
    text = keys.mint(random, prefix).text
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(string.ascii_letters + string.digits + "_- \n"))
    changed = text[:place] + other + text[place + 1 :]
    assert keys.well_formed(changed.encode()) == (changed == text)


@given(st.binary(max_size=80))
def test_noise_is_refused_without_an_error(noise: bytes) -> None:
    assert not keys.well_formed(noise)


@given(randomness, prefixes, st.integers(1, 10))
def test_a_key_with_something_behind_it_is_no_key(random: bytes, prefix: str, count: int) -> None:
    text = keys.mint(random, prefix).text.encode()
    assert not keys.well_formed(text + b"0" * count)
    assert not keys.well_formed(text + b"\n")


@given(st.lists(st.binary(min_size=24, max_size=24), min_size=2, max_size=20, unique=True))
def test_different_randomness_gives_different_keys(many: list[bytes]) -> None:
    # 32 characters hold 190 bits; more than the lowest 190 are not used
    distinct = {int.from_bytes(random) % 62**32 for random in many}
    assert len({keys.mint(random).text for random in many}) == len(distinct)


def test_too_little_randomness_and_unknown_prefixes_are_refused() -> None:
    with pytest.raises(ValueError, match="24 random bytes"):
        keys.mint(b"x" * 23)
    with pytest.raises(ValueError, match="unknown key prefix"):
        keys.mint(b"x" * 24, "sk_live_")


@given(randomness, st.binary(min_size=16, max_size=32), st.binary(min_size=16, max_size=32))
def test_the_digest_depends_on_key_and_pepper(random: bytes, one: bytes, other: bytes) -> None:
    text = keys.mint(random).text.encode()
    assert len(keys.digest(text, one)) == keys.DIGEST_BYTES
    assert (keys.digest(text, one) == keys.digest(text, other)) == (one == other)
    assert keys.digest(text, one) != keys.digest(text + b"x", one)


def test_the_redacted_form_keeps_prefix_and_end() -> None:
    text = keys.mint(bytes(range(24))).text
    assert keys.redact(text) == f"tk_live_…{text[-4:]}"


def test_the_form_of_keys_never_changes() -> None:
    """Keys are in customers' programs: this text has to stay valid for ever."""
    assert keys.well_formed(FIXED.encode())
    assert keys.mint(bytes(range(24))).text == FIXED
