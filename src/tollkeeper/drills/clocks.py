"""Dated cases of the laws' calendars, worked out by hand from their texts, beside what we compute."""

from __future__ import annotations

import datetime as dt

from tollkeeper.core import clocks, holidays
from tollkeeper.core.rehearsal import Figure, Outcome, Scene

SUMMARY = (
    "Deadlines of the GDPR and the CCPA in dated cases: months that are short, holidays, the earlier wins."
)

GDPR, CCPA, BOTH = ("gdpr",), ("ccpa",), ("gdpr", "ccpa")
CASES: tuple[tuple[str, tuple[str, ...], str, str, int, str | None, str, str | None], ...] = (
    # kind, laws, received, country, paused; then: acknowledge, answer, extended
    # one month, the same number (Reg. 1182/71 Art. 3(2)(c)); the EDPB's own example of 5 March
    ("access", GDPR, "2025-03-05", "", 0, None, "2025-04-07", "2025-06-05"),
    ("access", GDPR, "2026-06-10", "DE", 0, None, "2026-07-10", "2026-09-10"),
    # no such day in the last month: its last day; EDPB: 31 August ends on 30 September
    ("access", GDPR, "2026-08-31", "", 0, None, "2026-09-30", "2026-11-30"),
    ("access", GDPR, "2026-01-31", "", 0, None, "2026-03-02", "2026-04-30"),  # 28 February is a Saturday
    ("erase", GDPR, "2024-01-31", "", 0, None, "2024-02-29", "2024-04-30"),  # a leap year
    ("erase", GDPR, "2028-01-30", "", 0, None, "2028-02-29", "2028-05-01"),  # 30 April 2028 is a Sunday
    ("erase", GDPR, "2028-01-30", "DE", 0, None, "2028-02-29", "2028-05-02"),  # and 1 May is free in Germany
    ("access", GDPR, "2025-11-30", "", 0, None, "2025-12-30", "2026-03-02"),  # 28 February is a Saturday
    ("access", GDPR, "2026-03-31", "", 0, None, "2026-04-30", "2026-06-30"),
    # the last day is a Saturday, Sunday or holiday: the next working day (Art. 3(4))
    ("access", GDPR, "2026-01-15", "", 0, None, "2026-02-16", "2026-04-15"),
    (
        "access",
        GDPR,
        "2026-11-25",
        "DE",
        0,
        None,
        "2026-12-28",
        "2027-02-25",
    ),  # Christmas, St Stephen, Sunday
    ("access", GDPR, "2026-11-25", "", 0, None, "2026-12-25", "2027-02-25"),  # no country, no holiday
    ("access", GDPR, "2026-03-03", "DE", 0, None, "2026-04-07", "2026-06-03"),  # Good Friday to Easter Monday
    (
        "access",
        GDPR,
        "2026-03-03",
        "FR",
        0,
        None,
        "2026-04-03",
        "2026-06-03",
    ),  # Good Friday is no holiday there
    ("access", GDPR, "2026-04-14", "DE", 0, None, "2026-05-15", "2026-07-14"),  # Ascension Day
    ("access", GDPR, "2026-04-14", "FR", 0, None, "2026-05-15", "2026-07-15"),  # 14 July
    ("access", GDPR, "2026-04-25", "DE", 0, None, "2026-05-26", "2026-07-27"),  # Whit Monday
    ("access", GDPR, "2026-07-15", "IT", 0, None, "2026-08-17", "2026-10-15"),  # 15 August, a Saturday
    ("access", GDPR, "2027-09-26", "AT", 0, None, "2027-10-27", "2027-12-27"),  # 26 October; 26 December
    ("access", GDPR, "2026-12-10", "", 0, None, "2027-01-11", "2027-03-10"),  # over the year's end
    ("access", GDPR, "2026-12-01", "DE", 0, None, "2027-01-04", "2027-03-01"),  # New Year, then a week-end
    # the clock stands while the person shows who they are
    ("access", GDPR, "2026-06-10", "DE", 5, None, "2026-07-15", "2026-09-15"),
    ("access", GDPR, "2026-06-10", "DE", 8, None, "2026-07-20", "2026-09-18"),
    # the CCPA: 10 business days, 45 and 90 calendar days, weekends or not (11 CCR §7021)
    ("know", CCPA, "2026-01-02", "", 0, "2026-01-16", "2026-02-16", "2026-04-02"),
    ("know", CCPA, "2026-01-09", "", 0, "2026-01-26", "2026-02-23", "2026-04-09"),  # Martin Luther King's day
    ("erase", CCPA, "2026-06-17", "", 0, "2026-07-02", "2026-08-01", "2026-09-15"),  # Juneteenth
    ("erase", CCPA, "2026-06-24", "", 0, "2026-07-09", "2026-08-08", "2026-09-22"),  # 4 July kept on the 3rd
    (
        "know",
        CCPA,
        "2026-06-24",
        "",
        30,
        "2026-07-09",
        "2026-08-08",
        "2026-09-22",
    ),  # no pause for verification
    (
        "know",
        CCPA,
        "2027-12-20",
        "",
        0,
        "2028-01-05",
        "2028-02-03",
        "2028-03-19",
    ),  # Christmas kept on the 24th
    # opting out and limiting: 15 business days, nothing to extend (§7026(f), §7027(g))
    ("opt_out", CCPA, "2026-06-01", "", 0, None, "2026-06-23", None),
    ("limit", CCPA, "2026-11-02", "", 0, None, "2026-11-24", None),  # Veterans Day
    ("opt_out", CCPA, "2026-11-12", "", 0, None, "2026-12-04", None),  # Thanksgiving
    # two laws: of each day the earlier
    ("access", BOTH, "2026-01-15", "DE", 0, "2026-01-30", "2026-02-16", "2026-04-15"),
    ("access", BOTH, "2026-07-01", "DE", 0, "2026-07-16", "2026-08-03", "2026-09-29"),
    ("access", BOTH, "2026-07-01", "DE", 40, "2026-07-16", "2026-08-15", "2026-09-29"),
    ("object", BOTH, "2026-06-01", "DE", 0, None, "2026-06-23", None),
)
EASTERS = ("2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2038-04-25", "2285-03-22")


def _text(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def run(scene: Scene) -> Outcome:
    """Compute every case; a case is wrong if any of its three days is."""
    wrong = []
    for kind, laws, received, country, paused, *expected in CASES:
        got = clocks.deadlines(
            kind, laws, dt.date.fromisoformat(received), country=country, paused_days=paused
        )
        computed = [_text(got.acknowledge_on), _text(got.answer_on), _text(got.extended_on)]
        if computed != expected:
            wrong.append(f"{kind}/{'+'.join(laws)}/{received}/{country}/{paused}: {computed} not {expected}")
    wrong += [text for text in EASTERS if holidays.easter(int(text[:4])).isoformat() != text]
    for one in wrong:
        scene.say(0, 0, one)
    figures: dict[str, Figure] = {
        "cases": len(CASES) + len(EASTERS),
        "countries": len(holidays.COUNTRIES),
        "wrong": len(wrong),
        "first_wrong": wrong[0] if wrong else None,
    }
    return Outcome(not wrong, figures)
