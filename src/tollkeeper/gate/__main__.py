"""``python -m tollkeeper.gate``: one gate, configured by its environment."""

from __future__ import annotations

import sys

from tollkeeper.gate import compiled

BUILD = compiled.activate()
"""Which build runs. Found before anything that could be compiled is imported."""

if __name__ == "__main__":
    from tollkeeper.gate.main import main

    sys.exit(main(BUILD))
