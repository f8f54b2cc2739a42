"""Rehearsals of what must never happen: each file is one drill, found by its name.

A drill breaks something on purpose (kills a gate, loses a webhook, cuts a
connection) and counts what went wrong. It plays in a scratch home with a book
of its own, never in the operator's. A drill is a module with ``SUMMARY`` (one
sentence) and ``run(scene) -> Outcome``; a benchmark below ``bench/`` has the same
form. Drills stand above every room and may use all of them; nothing but the
command line may use a drill.
"""
