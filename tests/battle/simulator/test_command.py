"""``api-pokemon simulate`` as a user meets it."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from api_pokemon.battle.simulator import command as simulate_command
from api_pokemon.battle.simulator.command import simulate
from api_pokemon.battle.simulator.setup import simulator_version
from api_pokemon.battle.simulator.store import METADATA_KEY, PartStore
from api_pokemon.battle.split import held_out
from api_pokemon.errors import SimulatorError
from tests.battle.simulator_needs import needs_simulator

COLUMNS = ["form_a", "move_a", "form_b", "move_b"]


@pytest.fixture(autouse=True)
def _simulator() -> None:
    needs_simulator()


def run(*arguments: object) -> Result:
    app = Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_file_says_what_was_played_and_how(tmp_path: Path) -> None:
    output = tmp_path / "battles.parquet"
    result = run("--duels", 300, "--battles", 4, "--seed", 7, "--workers", 1, "--output", output)
    assert result.exit_code == 0, result.output
    table = pq.read_table(output)
    assert table.schema.names == [*COLUMNS, "battles", "wins_a"]
    assert set(table.schema.types) == {pa.uint16()}
    duels = np.stack([table[name].to_numpy() for name in COLUMNS], axis=1)
    np.testing.assert_array_equal(duels, duels[np.lexsort(duels.T[::-1])])
    assert not held_out(duels[:, 0], duels[:, 2]).any()
    assert set(table["battles"].to_pylist()) == {4}
    assert sum(table["wins_a"].to_pylist()) == 590
    metadata = json.loads(table.schema.metadata[METADATA_KEY])
    assert metadata.pop("tuples") == "d7db40f3c29e36d2989f06e2318cc587cb02130c2de06e8b483e58503e631d09"
    assert metadata == {
        "simulator": simulator_version(),
        "rules": "letsgo-duel-1",
        "seed": 7,
        "duels": 300,
        "battles": 4,
        "matchups": "training",
        "unlearnable": 0.04,
    }
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    files = [tmp_path / f"{workers}.parquet" for workers in (1, 2)]
    for workers, file in enumerate(files, 1):
        assert run("--duels", 500, "--seed", 3, "--workers", workers, "--output", file).exit_code == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_held_out_match_ups_only(tmp_path: Path) -> None:
    output = tmp_path / "held-out.parquet"
    assert run("--duels", 100, "--held-out", "--workers", 1, "--output", output).exit_code == 0
    table = pq.read_table(output)
    assert held_out(table["form_a"].to_numpy(), table["form_b"].to_numpy()).all()


def test_given_duels(tmp_path: Path) -> None:
    tuples, output = tmp_path / "tuples.parquet", tmp_path / "battles.parquet"
    rows = {"form_a": [25, 1], "move_a": [85, 33], "form_b": [7, 1], "move_b": [57, 33]}
    pq.write_table(pa.table(rows), tuples)
    assert run("--tuples", tuples, "--battles", 200, "--workers", 1, "--output", output).exit_code == 0
    played = pq.read_table(output).to_pydict()
    assert {name: played[name] for name in rows} == {
        "form_a": [1, 25],
        "move_a": [33, 85],
        "form_b": [1, 7],
        "move_b": [33, 57],
    }
    assert played["wins_a"] == [92, 200]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"form_a": [25], "move_a": [85], "form_b": [7]}, "cannot be read"),
        ({"form_a": [25], "move_a": [85], "form_b": [9999], "move_b": [57]}, "unknown form_b, 9999"),
        ({"form_a": [], "move_a": [], "form_b": [], "move_b": []}, "no duels"),
        ({"form_a": [25], "move_a": [-1], "form_b": [7], "move_b": [57]}, "unknown move_a, -1"),
    ],
)
def test_given_duels_that_cannot_be_played(tmp_path: Path, columns: dict[str, list[int]], message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "tuples.parquet")
    result = run("--tuples", tmp_path / "tuples.parquet", "--output", tmp_path / "battles.parquet")
    assert isinstance(result.exception, SimulatorError)
    assert message in str(result.exception)
    assert not (tmp_path / "battles.parquet").exists()


CUT_COMMAND = """
import typer
from api_pokemon.battle.simulator import command as simulate_command
simulate_command.PART_BATTLES = 500
typer.run(simulate_command.simulate)
"""


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--duels", 10, "--output", tmp_path / "file" / "battles.parquet")
    assert isinstance(result.exception, SimulatorError)
    assert "choose another --output" in str(result.exception)


def test_a_folder_as_output_is_told_before_the_first_battle(tmp_path: Path) -> None:
    result = run("--duels", 10, "--output", tmp_path)
    assert result.exit_code == 2
    assert "Invalid value for '--output'" in result.output
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate_command, "PART_BATTLES", 500)
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    options = ("--duels", 4_000, "--seed", 5, "--workers", 1, "--output")
    command = [sys.executable, "-c", CUT_COMMAND, *map(str, options), str(cut)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if done(line) > 500:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "the same command goes on from there" in rest
    assert not cut.exists()
    assert (tmp_path / "cut.parquet.parts" / "000000.npy").exists()

    result = run(*options, cut)
    assert result.exit_code == 0
    assert done(result.output) > 500  # the first line counts what was there before
    assert run(*options, whole).exit_code == 0
    assert cut.read_bytes() == whole.read_bytes()


def done(line: str) -> int:
    found = re.match(r"([\d,]+) of", line)
    return int(found[1].replace(",", "")) if found else 0


def test_parts_of_another_simulation_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "battles.parquet"
    (tmp_path / "battles.parquet.parts").mkdir()
    parameters = tmp_path / "battles.parquet.parts" / "parameters.json"
    parameters.write_text(json.dumps({"simulator": "pokemon-showdown 0.11.10", "seed": 1}))
    result = run("--duels", 10, "--seed", 2, "--output", output)
    assert isinstance(result.exception, SimulatorError)
    message = str(result.exception)
    assert "simulator pokemon-showdown 0.11.10, not pokemon-showdown 0.11.11" in message
    assert "seed 1, not 2" in message
    assert "delete the folder" in message


def test_a_damaged_part_is_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_command, "PART_BATTLES", 50)
    whole, output = tmp_path / "whole.parquet", tmp_path / "battles.parquet"
    options = ("--duels", 100, "--workers", 1, "--output")
    assert run(*options, whole).exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr(PartStore, "finish", raise_interrupt)
        assert run(*options, output).exit_code == 130
    parts = sorted((tmp_path / "battles.parquet.parts").glob("*.npy"))
    assert len(parts) == 2
    parts[1].write_bytes(parts[1].read_bytes()[:100])
    assert run(*options, output).exit_code == 0
    assert output.read_bytes() == whole.read_bytes()


def raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt
