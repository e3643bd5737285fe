import inspect
import subprocess
import sys

import pytest
from typer import Typer
from typer.testing import CliRunner

from api_pokemon import __version__, cli
from api_pokemon.cli import COMMANDS, Command, app
from api_pokemon.errors import ApiPokemonError

HEAVY = ("fastapi", "numpy", "onnxruntime", "pydantic", "xgboost", "pyarrow")


def api_pokemon(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api_pokemon", *arguments], capture_output=True, text=True, check=False
    )


def test_help_lists_every_command_with_its_summary() -> None:
    # A wide terminal, so that no summary is broken into lines.
    output = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--help"]).output
    for command in COMMANDS:
        assert f" {command.name} " in output
        assert command.summary in output


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_summary_is_the_first_sentence_of_the_docstring(command: Command) -> None:
    loaded = command.load()
    help_ = loaded.info.help if isinstance(loaded, Typer) else inspect.getdoc(loaded)
    assert (help_ or "").startswith(command.summary)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help(command: Command) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [command.name, "--help"])
    assert result.exit_code == 0
    assert command.summary in result.output


def test_help_imports_nothing_heavy() -> None:
    script = f"""
import sys
from typer import Typer
from typer.testing import CliRunner
from api_pokemon.cli import app
assert CliRunner().invoke(app, ["--help"]).exit_code == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_command_that_needs_more_packages_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.delitem(sys.modules, "api_pokemon.battle.simulator.command", raising=False)
    monkeypatch.setattr(sys, "argv", ["api-pokemon", "simulate"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    assert capsys.readouterr().err == (
        "api-pokemon: This command needs pyarrow.parquet. "
        "Install it: make train-env, or pip install -r requirements-train.txt\n"
    )


def test_version() -> None:
    assert api_pokemon("--version").stdout == f"{__version__}\n"


def test_an_unknown_command_is_told_with_the_nearest_one() -> None:
    result = CliRunner().invoke(app, ["serv"])
    assert result.exit_code == 2
    assert "No such command 'serv'. Did you mean 'serve'?" in result.output


def test_an_error_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ApiPokemonError("The port is taken. Set another one.")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "api-pokemon: The port is taken. Set another one.\n"
