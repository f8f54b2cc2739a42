"""Draws ``docs/states.md`` from the tables in ``core/states.py``.

``python -m tollkeeper.cli.states_page > docs/states.md`` makes it anew; a test
compares.
"""

from __future__ import annotations

import sys

from tollkeeper.core.states import MACHINES, Machine

_HEAD = """# States

Drawn from `src/tollkeeper/core/states.py`; do not edit. A state moves only through
these tables, by `core.states.step`.
"""


def page() -> str:
    """The whole page as Markdown with Mermaid diagrams."""
    return "\n".join([_HEAD, *(_section(machine) for machine in MACHINES)])


def _section(machine: Machine) -> str:
    lines = [f"## {machine.name}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {machine.initial}"]
    for state, row in machine.table.items():
        lines += [f"    {state} --> {target}: {event}" for event, target in row.items()]
    lines += [f"    {state} --> [*]" for state in machine.states if state in machine.final]
    lines += ["```", "", "| from | event | to |", "|---|---|---|"]
    for state, row in machine.table.items():
        lines += [f"| {state} | {event} | {target} |" for event, target in row.items()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(page())
