"""``python -m tollkeeper.gate``: one gate, configured by its environment."""

from __future__ import annotations

import os
import sys

from tollkeeper.gate import build, compiled

if __name__ == "__main__":
    if not os.environ.get("TOLLKEEPER_PURE"):
        build.build(only_parser=True)  # a second at the first start, where there is a C compiler
    found = compiled.activate()  # before anything that could be compiled is imported
    from tollkeeper.gate.main import main

    sys.exit(main(found))
