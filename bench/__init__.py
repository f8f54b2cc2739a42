"""Benchmarks: each file is one, with ``SUMMARY`` and ``run(scene) -> Outcome``; see ``tollkeeper.drills``."""
