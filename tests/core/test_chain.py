"""The chain notices every change, loss, insertion and cut."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.chain import GENESIS, Head, Link, canonical, seal, verify

KEY = b"k" * 32
entries = st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), min_size=1, max_size=8)


def chain(rows: list[tuple[str, ...]], key: bytes = KEY) -> list[Link]:
    before, made = GENESIS, []
    for seq, parts in enumerate(rows, 1):
        before = seal(key, before, seq, parts)
        made.append(Link(seq, parts, before))
    return made


@given(entries)
def test_an_untouched_chain_verifies_up_to_its_last_entry(rows):
    links = chain(rows)
    verdict = verify(KEY, links, [Head(len(rows), links[-1].mac)])
    assert verdict.ok
    assert verdict.entries == len(rows)
    assert verdict.last == Head(len(rows), links[-1].mac)


@given(entries, st.data())
def test_any_changed_part_is_found_at_its_place(rows, data):
    links = chain(rows)
    at = data.draw(st.integers(0, len(links) - 1))
    part = data.draw(st.integers(0, 1))
    parts = list(links[at].parts)
    parts[part] += "x"
    links[at] = replace(links[at], parts=tuple(parts))
    assert verify(KEY, links).broken == at + 1


@given(entries, st.data())
def test_a_missing_entry_is_found(rows, data):
    links = chain([*rows, ("end", "end")])
    at = data.draw(st.integers(0, len(links) - 2))
    del links[at]
    assert verify(KEY, links).broken == at + 1


@given(entries)
def test_a_cut_end_is_found_only_by_a_published_head(rows):
    links = chain([*rows, ("last", "one")])
    cut = links[:-1]
    assert verify(KEY, cut).ok
    verdict = verify(KEY, cut, [Head(links[-1].seq, links[-1].mac)])
    assert verdict.broken == links[-1].seq
    assert verdict.reason == "the end was cut off"


def test_a_chain_rewritten_with_another_key_is_found():
    assert verify(KEY, chain([("a", "b")], key=b"other")).broken == 1


def test_a_rewritten_past_with_the_right_key_is_found_by_the_head():
    honest, forged = chain([("paid", "5")]), chain([("paid", "6")])
    assert verify(KEY, forged).ok
    assert verify(KEY, forged, [Head(1, honest[0].mac)]).broken == 1


def test_parts_cannot_run_into_each_other():
    assert canonical(1, ("ab", "c")) != canonical(1, ("a", "bc"))
    assert canonical(1, ("",)) != canonical(1, ())


def test_what_remains_after_a_dropped_segment_verifies_from_its_closing_head():
    links = chain([("a", "1"), ("b", "2"), ("c", "3")])
    closing = Head(2, links[1].mac)
    assert verify(KEY, links[2:], [closing, Head(1, links[0].mac)], closing).ok
    assert not verify(KEY, links[2:]).ok
