"""What a locked shop says must tell what to do."""

from pathlib import Path

import pytest

from tollkeeper.core import lockdown
from tollkeeper.gate import options


def test_a_gate_refuses_a_locked_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLKEEPER_HOME", str(home))
    options.read()
    (home / lockdown.FILE).write_text("x\n")
    with pytest.raises(options.BadOptions, match="tollkeeper restore --replay"):
        options.read()
