"""What the documentation says is so: its tables, names, links and answers are held against the code."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import typer
from fastapi import FastAPI

from api_pokemon import __version__
from api_pokemon.cli import COMMANDS
from api_pokemon.main import create_app
from api_pokemon.model.registry import SHIPPED, load_metadata, shipped_version
from api_pokemon.monitoring import metric_specs
from api_pokemon.settings import Settings
from api_pokemon.stack import AlertRule, alert_rules
from api_pokemon.stack.validate_criteria import criteria
from api_pokemon.stack.validate_site import Site, Urls
from benchmarks.__main__ import commands as benchmark_commands
from tests.dashboards.exported import of_prometheus, of_the_service
from tests.dashboards.promql import LabelsOf

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not {".venv", "node_modules"}.intersection(path.relative_to(ROOT).parts)
)
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "MONITORING_GUIDE.md").read_text()
RECAP = (ROOT / "MONITORING_RECAP.md").read_text()
RUNBOOK = ["Meaning", "First look", "Likely causes", "Remedy"]
PAGES = ("/", "/docs", "/openapi.json", "/problems")
SPECS = metric_specs("api_pokemon")


def rows(text: str, heading: str) -> list[tuple[str, ...]]:
    """The rows of the first table below a heading, as the texts of their cells."""
    table = re.search(rf"^## {heading}\n.*?^\|[-:|]+\|\n((?:\|[^\n]*\n)+)", text, re.MULTILINE | re.DOTALL)
    assert table, heading
    lines = table[1].replace("`", "").splitlines()
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def code(text: str) -> Iterator[str]:
    """What is set as code: the lines of blocks, and spans."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def named(pattern: str) -> list[tuple[str, str]]:
    """(document, match) of everything in code that matches."""
    return [
        (path.relative_to(ROOT).as_posix(), match)
        for path in DOCUMENTS
        for line in code(path.read_text())
        for match in re.findall(pattern, line)
    ]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The service as it starts for the first time."""
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), tablebase=False, _env_file=None))  # type: ignore[call-arg]


def test_the_settings_are_those_of_the_code() -> None:
    expected = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default == () else str(field.default)
        default = default.lower() if isinstance(field.default, bool) else default
        expected.append((f"API_POKEMON_{name.upper()}", default, field.description))
    assert rows(README, "Settings") == expected


def test_the_commands_are_those_of_the_code() -> None:
    assert rows(README, "Commands") == [(f"api-pokemon {command.name}", command.summary) for command in COMMANDS]


def test_the_metrics_are_those_of_the_catalogue() -> None:
    assert rows(README, "Metrics") == [(spec.name, spec.kind, ", ".join(spec.labels), spec.help) for spec in SPECS]


def test_the_endpoints_are_those_of_the_api(app: FastAPI) -> None:
    operations = [
        (f"{method.upper()} {path}", operation["summary"])
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]
    assert rows(README, "The API") == operations


@pytest.mark.parametrize("page", PAGES)
async def test_the_pages_are_there(app: FastAPI, page: str) -> None:
    assert f"`{page}`" in README
    assert (await ask(app, "GET", page)).status_code == 200


def test_every_metric_that_is_named_exists() -> None:
    known = {name for spec in SPECS for name in (spec.name, *spec.series)} | {
        label for spec in SPECS for label in spec.labels
    }
    found = named(r"(?<![/:.])\b(?:api|model|system|events|outbox|stream|log|job|drift)_[a-z_]+\b(?!:|\.py)")
    assert len(found) > len(SPECS)
    assert {(document, name) for document, name in found if name not in known | {"api_pokemon"}} == set()


def test_every_query_that_is_shown_asks_for_what_exists() -> None:
    queries = [
        query for path in DOCUMENTS for query in re.findall(r"^```promql\n(.*?)^```", path.read_text(), re.M | re.S)
    ]
    assert len(queries) > 10
    for query in queries:
        LabelsOf(of_prometheus(of_the_service()))(promql_parser.parse(query))


def test_the_guide_tells_of_every_metric() -> None:
    assert [name for name, _ in rows(GUIDE, "Metrics")] == [spec.name for spec in SPECS]


def test_the_guide_tells_when_every_alert_fires() -> None:
    told = [(re.sub(r"\[(\w+)\]\(#(\w+)\)", r"\1 \2", name), *rest) for name, *rest in rows(GUIDE, "Alerts")]
    assert [(name, duration, severity) for name, _, duration, severity in told] == [
        (f"{rule.name} {rule.name.lower()}", f"{rule.for_seconds / 60:.0f}m", severity_of(rule))
        for rule in alert_rules()
    ]


def test_every_alert_that_is_named_exists() -> None:
    """In prose too: words of several parts that begin or end as an alert does. The changelog may tell of old ones."""
    alerts = {rule.name: parts_of(rule.name) for rule in alert_rules()}
    first, last = ({parts[end] for parts in alerts.values()} for end in (0, -1))
    words = {
        (path.name, word)
        for path in DOCUMENTS
        if path.name != "CHANGELOG.md"
        for word in re.findall(r"\b(?:[A-Z]+[a-z]*){2,}\b", path.read_text())
    }
    found = {
        (document, word)
        for document, word in words
        if len(parts := parts_of(word)) > 1 and (parts[0] in first or parts[-1] in last)
    }
    assert {word for document, word in found if document == "MONITORING_GUIDE.md"} >= alerts.keys()
    assert {(document, word) for document, word in found if word not in alerts} == set()


def parts_of(name: str) -> list[str]:
    """HighAPILatency is High, API, Latency."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", name)


def severity_of(rule: AlertRule) -> str:
    """The one that it has, or those that it may have."""
    severity = rule.labels["severity"]
    return " or ".join(re.findall(r"}}(\w+){{", severity)) or severity


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule.name)
def test_the_guide_has_a_runbook_for_every_alert(rule: AlertRule) -> None:
    section = re.search(rf"^### {rule.name}\n\n(.*?)^##", GUIDE, re.M | re.S)
    assert section, f"MONITORING_GUIDE.md needs a heading ### {rule.name} under ## Alerts"
    assert re.findall(r"^- \*\*(.+?)\.\*\* ", section[1], re.M) == RUNBOOK
    panels = {panel["title"] for dashboard in dashboards() for panel in dashboard["panels"]}
    named = re.findall(r"panels? ((?:\*[^*]+\*(?:, | and )?)+)", section[1])
    assert {title for titles in named for title in re.findall(r"\*([^*]+)\*", titles)} <= panels


def test_the_guide_tells_of_every_panel() -> None:
    for dashboard in dashboards():
        titles = [panel["title"] for panel in dashboard["panels"] if panel["type"] != "row"]
        section = re.search(rf"^### {dashboard['title']}\n.*?(?=^##|\Z)", GUIDE, re.M | re.S)
        assert section, f"MONITORING_GUIDE.md needs a heading ### {dashboard['title']} under ## Dashboards"
        assert re.findall(r"^\| (?!panel )([^|]+) \|", section[0], re.M) == titles


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((ROOT / "docker/grafana/dashboards").glob("*.json"))]


def test_the_recap_has_what_the_walk_looks_at() -> None:
    nobody = "http://127.0.0.1:1"
    with Site(Urls(nobody, nobody, nobody)) as site:
        names = [criterion.name for criterion in criteria(site)]
    found = [(name, status) for name, status, _ in rows(RECAP, "The walk")]
    assert [name for name, _ in found] == names
    assert {status for _, status in found} <= {"ok", "skipped"}


def test_what_the_recap_calls_proof_exists() -> None:
    """A proof is a test that is there, a command (held to the code above), or a page of this repository."""
    proofs = [row[-1] for row in rows(RECAP, "What is there")]
    paths = [path for proof in proofs for path in re.findall(r"tests/[\w/]+(?:\.py)?", proof)]
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_make_target_that_is_named_exists() -> None:
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[1] for line in helped.splitlines()}
    found = named(r"\bmake ([a-z-]+)")
    assert {"run", "test", "bench"} <= {target for _, target in found}
    assert {(document, target) for document, target in found if target not in targets} == set()


def options_of(words: list[str]) -> tuple[str, set[str]]:
    """The command that the words begin with, and the options that it takes; `StopIteration` if there is none."""
    loaded = next(command for command in COMMANDS if command.name == words[0]).load()
    command: Any
    if isinstance(loaded, typer.Typer):
        name, command = words[0], typer.main.get_command(loaded)
    else:
        single = typer.Typer(add_completion=False)
        single.command()(loaded)
        name, command = words[0], typer.main.get_command(single)
    for word in words[1:]:
        if not hasattr(command, "commands"):
            break
        name, command = f"{name} {word}", command.commands[word]
    return name, {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def test_every_command_that_is_named_exists_with_its_options() -> None:
    found = named(r"^(?:.*[ (])?api-pokemon ([a-z].*)$")
    assert len(found) > len(COMMANDS)
    for document, line in found:
        words = shlex.split(line.partition(")")[0], comments=True)
        name, options = options_of(words)
        unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - options - {"--help"}
        assert not unknown, f"{document}: api-pokemon {name} takes no {unknown}"


def test_every_variable_that_is_named_exists() -> None:
    known = {f"API_POKEMON_{name.upper()}" for name in Settings.model_fields} | {"API_POKEMON_KEY"}  # the client's
    found = named(r"\bAPI_POKEMON_[A-Z_]*[A-Z]\b")
    assert {name for _, name in found} == known


def test_every_variable_of_the_compose_file_that_is_named_exists() -> None:
    known = set(re.findall(r"^# (\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    found = set(named(r"\b(?!API_POKEMON_)[A-Z][A-Z_]*_(?:URL|PORT|PASSWORD|FILE)\b"))
    assert {(document, name) for document, name in found if name not in known} == set()
    told = {document for document, name in found if name == "RUNBOOK_BASE_URL"}
    assert {"MONITORING_GUIDE.md", "MONITORING_README.md", "MONITORING_README.fr.md"} <= told


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", document.read_text())
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_headings(document: Path) -> None:
    for page, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", document.read_text()):
        text = (document.parent / page).read_text() if page else document.read_text()
        headings = re.findall(r"^#+ (.+)$", text, re.M)
        assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_files_that_are_named_exist() -> None:
    found = named(r"^((?:api_pokemon|benchmarks|data|docs|examples|scripts|tests)/[\w./-]+)$")
    assert len(found) > 10
    missing = {(document, path) for document, path in found if not (ROOT / path).exists()}
    assert missing == set()


def test_the_layout_is_that_of_the_repository() -> None:
    block = re.search(r"^## What is where\n\n```\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert block
    top, inner = (set(re.findall(rf"^{indent}([\w.]+)/", block[1], re.MULTILINE)) for indent in ("", "  "))
    assert all((ROOT / name).is_dir() for name in top)
    packages = {path.parent.name for path in ROOT.glob("api_pokemon/*/__init__.py")}
    assert inner == packages


async def ask(app: FastAPI, method: str, url: str, **request: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8000") as client:
        return await client.request(method, url, **request)


async def test_the_documented_request_is_answered_as_documented(app: FastAPI) -> None:
    shown = re.search(r"^```sh\n(curl .*?)```.*?^```json\n(.*?)```", README, re.MULTILINE | re.DOTALL)
    assert shown
    curl, _, method, url, _, header, _, body = shlex.split(shown[1])
    assert curl == "curl"
    name, _, value = header.partition(": ")
    response = await ask(app, method, url, content=body, headers={name: value})
    answer, documented = response.json(), json.loads(shown[2])
    assert response.status_code == 200
    assert len(answer.pop("prediction_id")) == len(documented.pop("prediction_id"))  # a new one each time
    assert nearly(answer) == nearly(documented)
    assert f"would win {100 * answer['win_probability']:.0f} % of such" in README


def nearly(value: Any) -> Any:
    """The same with its numbers compared to the last digits, where processors differ."""
    if isinstance(value, dict):
        return {key: nearly(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [nearly(inner) for inner in value]
    return pytest.approx(value, abs=2e-6) if isinstance(value, float) else value


def test_the_figures_of_the_model_are_those_of_its_metadata() -> None:
    metadata = load_metadata(SHIPPED / shipped_version())
    metrics = metadata.metrics
    figures = [(name, model, beside.partition(" ")[0]) for name, model, beside in rows(README, "How good the model is")]
    low, high = metrics["worst_reply_bias_low"], metrics["worst_reply_bias_high"]
    assert figures == [
        ("error of a predicted chance (Brier score)", f"{metrics['brier']:.4f}", f"{metrics['brier_floor']:.4f}"),
        ("calibration error (ECE)", f"{metrics['calibration_error']:.4f}", "0"),
        ("likelier winner told", f"{metrics['winner_right']:.1%}", "100%"),
        ("wins lost by the choice of a move", f"{metrics['regret']:.4f}", f"{metrics['regret_noise']:.4f}"),
        ("bias where the opponent's moves are unknown", f"{low:+.4f} to {high:+.4f}", "0"),
    ]
    assert f"{metadata.battles:,} battles" in README


def test_the_changelog_tells_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\] - (?:Unreleased|\d{4}-\d{2}-\d{2})$", text, re.MULTILINE)
    assert len(versions) == len(re.findall(r"^## ", text, re.MULTILINE))
    assert versions[0] == __version__
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_notice_names_every_source() -> None:
    sources = re.findall(r"^\| .+ \| \[([\w-]+)\]", (ROOT / "api_pokemon/dex/LICENSES.md").read_text(), re.MULTILINE)
    notice = (ROOT / "NOTICE").read_text()
    assert len(sources) == 2
    assert all(re.search(rf"^  {source} ", notice, re.MULTILINE) for source in sources)


def test_every_benchmark_has_its_figures() -> None:
    commands = {command for _, _, command in benchmark_rows()}
    for module, *rest in benchmark_commands("folder"):
        name = f"python -m {rest[0]}" if module == "-m" else module
        options = " --service" if "--service" in rest else ""
        assert any(f"{command} ".startswith(f"{name}{options} ") for command in commands)


def test_the_benchmarks_say_what_make_bench_leaves_out() -> None:
    run = {f"python -m {rest[0]}" if first == "-m" else first for first, *rest in benchmark_commands("folder")}
    told = {re.split(r" --| \(| [A-Z]+=", command)[0] for _, _, command in benchmark_rows()}
    said = (ROOT / "benchmarks/README.md").read_text().partition("\n## ")[0]
    left_out = {command for command in told - run if not command.startswith("pytest ")}
    assert left_out
    assert not [command for command in left_out if f"`{command}" not in said]


def test_the_benchmarks_tell_of_the_shipped_model() -> None:
    metrics = load_metadata(SHIPPED / shipped_version()).metrics
    told = " ".join(figure for _, figure, command in benchmark_rows() if "accuracy" in command)
    for name in ("brier", "brier_floor", "brier_above_floor", "calibration_error", "regret", "regret_noise"):
        assert f"{metrics[name]:.4f}" in told, name
    assert f"between {metrics['worst_reply_bias_low']:+.4f} and {metrics['worst_reply_bias_high']:+.4f}" in told


def benchmark_rows() -> list[tuple[str, ...]]:
    text = (ROOT / "benchmarks/README.md").read_text()
    return [row for heading in re.findall(r"^## (.+)$", text, re.MULTILINE) for row in rows(text, re.escape(heading))]
