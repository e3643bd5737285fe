import json
from email.message import Message
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from scripts.check_licences import (
    NPM_LOCKS,
    PYTHON_LOCK,
    READ_BY_US,
    TAKEN,
    Package,
    all_packages,
    is_taken,
    licence_of,
    npm_packages,
    python_packages,
)

ROOT = Path(__file__).parents[1]


def told(*headers: tuple[str, str]) -> Message:
    message = Message()
    for name, value in headers:
        message[name] = value
    return message


def test_the_licence_of_everything_that_is_installed_is_taken() -> None:
    packages = list(all_packages())
    assert len(packages) > 150
    assert [package for package in packages if not is_taken(package.licence)] == []


def test_no_licence_is_taken_for_nothing() -> None:
    licences = " ".join(package.licence for package in all_packages())
    assert [licence for licence in TAKEN if licence not in licences] == []
    assert READ_BY_US.keys() <= {package.name for package in python_packages(PYTHON_LOCK)}


def test_every_lock_file_is_looked_at() -> None:
    assert set(NPM_LOCKS) == {path for path in ROOT.rglob("package-lock.json") if "node_modules" not in path.parts}
    makefile = (ROOT / "Makefile").read_text()
    for lock, with_optional in NPM_LOCKS.items():
        folder = {"showdown": "$(SHOWDOWN)", "schema": "$(SCHEMA)"}[lock.parent.name]
        assert (f'cd {folder} && PATH="$(abspath $(BIN)):$$PATH" npm ci --omit=optional' in makefile) != with_optional


def test_what_is_locked_and_not_installed_is_told(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("no-such-package==1.0 \\\n    --hash=sha256:00\n")
    with pytest.raises(PackageNotFoundError):
        list(python_packages(lock))


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ((("License-Expression", "MIT OR Apache-2.0"), ("License", "who knows")), "MIT OR Apache-2.0"),
        ((("Classifier", "License :: OSI Approved :: MIT License"), ("Classifier", "Topic :: Games")), "MIT"),
        (
            (("Classifier", "License :: OSI Approved :: GNU Affero General Public License v3"),),
            "GNU Affero General Public License v3",
        ),
        ((("License", "MIT License\n\nCopyright (c) 2022"),), "MIT"),
        ((), ""),
    ],
)
def test_metadata_are_read_the_newest_form_first(headers: tuple[tuple[str, str], ...], licence: str) -> None:
    assert licence_of(told(*headers)) == licence  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "licence", ["", "AGPL-3.0-only", "MIT AND SSPL-1.0", "BUSL-1.1", "GNU Affero General Public License v3"]
)
def test_other_licences_are_refused(licence: str) -> None:
    assert not is_taken(licence)


def test_npm_tells_in_its_lock_file(tmp_path: Path) -> None:
    lock = tmp_path / "package-lock.json"
    packages = {
        "": {"license": "MIT"},
        "node_modules/a": {"license": "ISC"},
        "node_modules/a/node_modules/@b/c": {},
        "node_modules/d": {"license": "WTFPL", "optional": True},
    }
    lock.write_text(json.dumps({"packages": packages}))
    assert list(npm_packages(lock, with_optional=False)) == [Package("a", "ISC"), Package("@b/c", "")]
    assert list(npm_packages(lock, with_optional=True))[2:] == [Package("d", "WTFPL")]
