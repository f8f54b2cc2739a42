"""``python -m tollkeeper.gate.build``: compile the head parser, if a C compiler is there.

Never required: without it the pure twin runs. What was built from another source
than the present one is not used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("_heads.c")


def source_hash() -> str:
    """What a compiled parser must say it was built from."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]


def target() -> Path:
    """Where the compiled parser lies."""
    return SOURCE.with_name("_heads" + str(sysconfig.get_config_var("EXT_SUFFIX")))


def build() -> str:
    """Compile; gives an empty text, or one sentence why it could not be done."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "there is no C compiler, the pure parser is used"
    include = sysconfig.get_paths()["include"]
    if not (Path(include) / "Python.h").exists():
        return "Python's header files are not installed, the pure parser is used"
    part = target().with_suffix(f".{os.getpid()}.part")
    command = [compiler, "-O2", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{include}"]
    command += [f'-DSOURCE_HASH="{source_hash()}"', str(SOURCE), "-o", str(part)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            return f"the compiler failed: {done.stderr.strip().splitlines()[-1:]}"
        part.replace(target())
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the compiler could not be run: {error}"
    finally:
        part.unlink(missing_ok=True)
    return ""


def main() -> int:
    """Build and say what became of it; 0 even if nothing was built, as nothing depends on it."""
    trouble = build()
    sys.stdout.write((trouble or f"compiled {target().name}") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
