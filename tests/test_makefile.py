import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_help_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    output = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in output.splitlines()] == targets


@pytest.fixture
def make_venv(tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """`scripts/make_venv`, run by a user without rights, with a Python that lacks what Debian packages apart."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in {
        "id": "echo 1000",
        "bare-python": 'case "$2" in *ensurepip*) exit 1;; *) exec python3 "$@";; esac',
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    return subprocess.run(
        [ROOT / "scripts/make_venv", tmp_path / "environment"],
        env={"PATH": f"{tools}:/usr/bin:/bin", "PYTHON": "bare-python"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_debian_package_is_named_with_the_remedy(make_venv: "subprocess.CompletedProcess[str]") -> None:
    assert make_venv.returncode == 1
    assert re.fullmatch(
        r"make_venv: bare-python cannot make virtual environments\. "
        r"Install what it lacks: sudo apt-get install python3\.\d+-venv\n",
        make_venv.stderr,
    )


def test_nothing_is_left_behind(make_venv: "subprocess.CompletedProcess[str]", tmp_path: Path) -> None:
    assert make_venv.returncode == 1
    assert not (tmp_path / "environment").exists()


def test_an_absent_python_is_named(tmp_path: Path) -> None:
    result = subprocess.run(
        [ROOT / "scripts/make_venv", tmp_path / "environment"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": "python2.7"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("make_venv: Python 3.11 or newer is needed (looked for python2.7")
