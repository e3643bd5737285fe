"""The dashboards have the types that Grafana gives them: its own schema, and the TypeScript compiler."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.committed import DASHBOARDS, FILES
from tests.needs import needs

SCHEMA = Path(__file__).parent / "schema"
COMPILER = SCHEMA / "node_modules/.bin/tsc"
NODE = Path(__file__).parents[2] / ".venv/bin"
OPTIONS = (
    *("--noEmit", "--strict", "--skipLibCheck"),
    *("--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"),
    *("--types", ""),
)

Change = Callable[[dict[str, Any]], Any]


def complaints(dashboard: dict[str, Any], folder: Path) -> str:
    """What the compiler says of a dashboard as a literal of Grafana's types."""
    needs(COMPILER.exists(), "Grafana's schema (see scripts/prepare_tests)")
    program = folder / "dashboard.ts"
    program.write_text(
        f'import type {{ DashboardJson }} from "{SCHEMA}/dashboard";\n'
        f"export const dashboard: DashboardJson = {json.dumps(dashboard)};\n"
    )
    checked = subprocess.run(
        [COMPILER, *OPTIONS, program],
        cwd=SCHEMA,
        env={**os.environ, "PATH": f"{NODE}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(checked.returncode) == bool(checked.stdout), checked.stderr
    return checked.stdout


@pytest.mark.parametrize("name", FILES)
def test_it_has_the_types_of_the_schema(name: str, tmp_path: Path) -> None:
    assert complaints(DASHBOARDS[name], tmp_path) == ""


def panel(dashboard: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(panel for panel in dashboard["panels"] if panel["type"] == kind)
    return found


WRONG: dict[str, tuple[str, Change]] = {
    "an unknown field": ("api", lambda it: it.update(titel="API")),
    "a refresh of a variable that there is not": ("api", lambda it: it["templating"]["list"][0].update(refresh=7)),
    "a link's option misspelt": ("api", lambda it: it["links"][0].update(keeptime=True)),
    "an annotation without its title": ("api", lambda it: it["annotations"]["list"][0].pop("titleFormat")),
    "a kind of panel that there is not": ("api", lambda it: panel(it, "timeseries").update(type="graph2")),
    "a panel without a description": ("api", lambda it: panel(it, "stat").pop("description")),
    "a width as a word": ("api", lambda it: panel(it, "stat")["gridPos"].update(w="24")),
    "a unit as a number": ("api", lambda it: panel(it, "stat")["fieldConfig"]["defaults"].update(unit=5)),
    "a threshold mode that there is not": (
        "api",
        lambda it: panel(it, "stat")["fieldConfig"]["defaults"]["thresholds"].update(mode="relative"),
    ),
    "an option of another panel": ("api", lambda it: panel(it, "stat")["options"].update(legend={})),
    "a way to draw that there is not": (
        "service",
        lambda it: panel(it, "timeseries")["fieldConfig"]["defaults"]["custom"].update(drawStyle="bar"),
    ),
    "a query without its expression": ("api", lambda it: panel(it, "stat")["targets"][0].pop("expr")),
    "a format that there is not": ("model", lambda it: panel(it, "heatmap")["targets"][0].update(format="histogram")),
    "an option of a heatmap misspelt": ("model", lambda it: panel(it, "heatmap")["options"].update(rowFrame={})),
    "an option of a state timeline misspelt": (
        "service",
        lambda it: panel(it, "state-timeline")["options"].update(alignValues="left"),
    ),
}


@pytest.mark.parametrize(("name", "change"), WRONG.values(), ids=WRONG)
def test_what_grafana_does_not_know_is_found(name: str, change: Change, tmp_path: Path) -> None:
    (file,) = (file for file in FILES if file.startswith(name))
    wrong = json.loads(json.dumps(DASHBOARDS[file]))
    change(wrong)
    assert "error TS" in complaints(wrong, tmp_path)


def test_npm_lock_file_names_no_registry() -> None:
    text = (SCHEMA / "package-lock.json").read_text()
    assert "://" not in text
    assert (
        json.loads(text)["packages"][""]["dependencies"]
        == json.loads((SCHEMA / "package.json").read_text())["dependencies"]
    )
