"""Counters of the gate and their text form (Prometheus exposition format 0.0.4). No personal labels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from tollkeeper.core.charges import Outcome

BUCKETS_US: Final = (
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    30_000_000,
)


class Metrics:
    """Plain integers, changed only by the loop."""

    def __init__(self) -> None:
        self.outcomes: list[int] = [0] * len(Outcome)
        self.refusals: dict[str, int] = {}
        self.latency: list[int] = [0] * (len(BUCKETS_US) + 1)
        self.latency_us = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.draws = 0
        self.draws_empty = 0
        self.draws_failed = 0
        self.feed_failures = 0

    def call_ended(self, outcome: int, latency_us: int, bytes_in: int, bytes_out: int) -> None:
        """Count one settled call."""
        self.outcomes[outcome] += 1
        self.latency_us += latency_us
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        self.latency[bisect_left(BUCKETS_US, latency_us)] += 1

    def refused(self, code: str) -> None:
        """Count one refusal."""
        self.refusals[code] = self.refusals.get(code, 0) + 1


def _family(name: str, kind: str, told: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    lines = [f"# HELP tollkeeper_gate_{name} {told}", f"# TYPE tollkeeper_gate_{name} {kind}"]
    return lines + [f"tollkeeper_gate_{name}{labels} {_written(value)}" for labels, value in samples]


def _written(value: float) -> str:
    """Whole numbers as such, also where compiled code has made them floats."""
    whole = int(value)
    return str(whole) if whole == value else repr(value)


def exposition(
    metrics: Metrics, gauges: dict[str, tuple[str, float]], upstreams: Iterable[tuple[str, str, bool]] = ()
) -> str:
    """All metrics as text.

    ``gauges`` maps a name to its help text and value; ``upstreams`` are name, address and
    whether calls are sent there.
    """
    outcomes = [(f'{{outcome="{o.name.lower()}"}}', metrics.outcomes[o]) for o in Outcome]
    lines = _family("calls_total", "counter", "Settled calls by outcome.", outcomes)
    refusals = [(f'{{code="{code}"}}', count) for code, count in sorted(metrics.refusals.items())]
    lines += _family("refusals_total", "counter", "Refusals of the gate by code.", refusals)
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*(str(b / 1e6) for b in BUCKETS_US), "+Inf"), metrics.latency, strict=True):
        total += count
        buckets.append((f'_bucket{{le="{bound}"}}', total))
    buckets += [("_sum", metrics.latency_us / 1e6), ("_count", total)]
    lines += _family("call_seconds", "histogram", "From admission to settlement.", buckets)
    for name, told, value in (
        ("bytes_in_total", "Bytes of request bodies.", metrics.bytes_in),
        ("bytes_out_total", "Bytes of answer bodies.", metrics.bytes_out),
        ("lease_draws_total", "Leases drawn.", metrics.draws),
        ("lease_draws_empty_total", "Draws that found nothing.", metrics.draws_empty),
        ("lease_draws_failed_total", "Draws that the book did not answer.", metrics.draws_failed),
        ("feed_failures_total", "Polls of the book that failed.", metrics.feed_failures),
    ):
        lines += _family(name, "counter", told, [("", value)])
    well = [(f'{{upstream="{name}",address="{address}"}}', int(ok)) for name, address, ok in upstreams]
    if well:
        lines += _family("upstream_well", "gauge", "1 if calls are sent to this address.", well)
    for name, (told, gauge) in gauges.items():
        lines += _family(name, "gauge", told, [("", gauge)])
    return "\n".join(lines) + "\n"
