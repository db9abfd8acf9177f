"""A process dies where it is told to, once, and only while the sandbox is on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common import clock, crash, runner

PASSES_BY = """
import sys
from pathlib import Path
from common import crash
crash.use(Path(sys.argv[1]))
crash.here("handled")
crash.here("published")
"""


def _pass_by(file: Path) -> int:
    return subprocess.run([sys.executable, "-c", PASSES_BY, str(file)], check=False).returncode


def test_it_dies_there_and_only_once(tmp_path: Path):
    file = tmp_path / "crash"
    file.write_text("published")

    assert [_pass_by(file), _pass_by(file)] == [-signal.SIGKILL, 0]
    assert not file.exists()


def test_what_cannot_be_read_names_no_place(tmp_path: Path):
    assert _pass_by(tmp_path) == 0


def test_another_place_is_passed_by(tmp_path: Path):
    file = tmp_path / "crash"
    file.write_text("relaying")

    assert _pass_by(file) == 0
    assert file.exists()


@pytest.mark.parametrize("sandbox", ["on", "off"])
def test_only_the_sandbox_lets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str):
    monkeypatch.setattr(crash, "_file", None)
    monkeypatch.setattr(clock, "_clock", clock.Clock())
    for name, value in (
        ("SANDBOX", sandbox),
        ("CRASH_FILE", "crash"),
        ("VAR_DIR", str(tmp_path)),
        ("DATABASE_URL", ""),
    ):
        monkeypatch.setenv(name, value)

    runner._open("payments").database.close()

    assert crash._file == (Path("crash") if sandbox == "on" else None)
