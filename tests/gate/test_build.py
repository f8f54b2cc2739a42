"""A build is found by what it was made from, and what could not be built says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tollkeeper.gate import build, compiled


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLKEEPER_COMPILED", str(tmp_path))
    monkeypatch.delenv("TOLLKEEPER_PURE", raising=False)


def needs_compiler() -> None:
    if build.obstacle():
        pytest.skip(build.obstacle())


def test_a_build_depends_on_every_file_that_a_gate_imports() -> None:
    code = (
        "import sys, tollkeeper.gate.main, tollkeeper.gate.build\n"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.startswith('tollkeeper.')], sep='\\n')"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {Path(line).relative_to(compiled.ROOT) for line in asked.stdout.split()}
    assert imported <= set(compiled.sources())
    assert Path("core/records.py") in imported
    assert Path("core/meters/tokens.py") in compiled.sources()
    assert set(compiled.MODULES) < set(compiled.sources())


def test_other_sources_are_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled.folder()
    changed = tmp_path / "package"
    for path in compiled.sources():
        (changed / path).parent.mkdir(parents=True, exist_ok=True)
        (changed / path).write_bytes((compiled.ROOT / path).read_bytes())
    monkeypatch.setattr(compiled, "ROOT", changed)
    assert compiled.folder() == before
    with (changed / "core" / "limits.py").open("a") as file:
        file.write("\n")
    assert compiled.folder() != before


def test_without_a_compiler_the_plain_gate_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_compiler", lambda: None)
    assert build.build() == "nothing was compiled: there is no C compiler"
    assert compiled.kind() == "pure"


def test_without_mypyc_the_parser_is_compiled_and_the_reason_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_compiler()
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(build, "TOOLS_LOCK", compiled.ROOT / "missing.lock")
    monkeypatch.setattr(compiled, "tools_folder", lambda lock: compiled.folder().with_name("tools-x"))
    assert build.build().startswith("only the parser was compiled: mypyc is not installed")
    monkeypatch.setattr(sys, "argv", ["build", "--look"])
    assert build.main() == 0
    assert capsys.readouterr().out.startswith("parser mypyc is not installed, and missing.lock")
    monkeypatch.setattr(build, "_build_modules", lambda part: "")
    assert build.build() == ""
    assert compiled.kind() == "compiled"
    assert compiled.trouble() == ""


def test_a_failed_build_leaves_nothing_that_could_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_compiler()

    def broken(part: Path) -> str:
        (part / "half.so").write_bytes(b"")
        return "the compiler broke off"

    monkeypatch.setattr(build, "_build_modules", broken)
    assert build.build() == "only the parser was compiled: the compiler broke off"
    assert compiled.kind() == "parser"
    assert not list(tmp_path.rglob("half.so"))


def test_plain_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TOLLKEEPER_PURE", "1")
    monkeypatch.setattr(sys, "argv", ["build", "--look"])
    assert build.main() == 0
    assert capsys.readouterr().out == "pure TOLLKEEPER_PURE is set\n"
