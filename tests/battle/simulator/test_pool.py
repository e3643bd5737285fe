"""The pool plays by seed alone, and no process that misbehaves leaves a trace in results."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from api_pokemon.battle.simulator import (
    A_WINS,
    B_WINS,
    Duel,
    Duels,
    Result,
    SimulatorPool,
    battle_seeds,
    worker_command,
)
from api_pokemon.battle.simulator.duels import random_duels
from api_pokemon.dex import Dex, load_dex
from api_pokemon.errors import SimulatorError
from tests.battle.simulator_needs import needs_simulator


@pytest.fixture(scope="module")
def dex() -> Dex:
    needs_simulator()
    return load_dex()


@pytest.fixture(scope="module")
def duels(dex: Dex) -> Duels:
    return random_duels(dex, 60, 5, "training", 0.0)


@pytest.fixture(scope="module")
def wins(dex: Dex, duels: Duels) -> list[int]:
    with SimulatorPool(dex, 1) as pool:
        wins: list[int] = pool.play(duels, seed=9, battles=3).wins_a.tolist()
    return wins


def test_a_known_battle(dex: Dex) -> None:
    pikachu, squirtle = dex.find_form("Pikachu").id, dex.find_form("Squirtle").id
    duel = Duel(pikachu, dex.find_move("Thunderbolt").id, squirtle, dex.find_move("Surf").id)
    seeds = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype=np.uint16)
    with SimulatorPool(dex, 1) as pool:
        results = pool.play_battles(np.array([duel, duel], dtype=np.uint16), seeds)
    assert [Result(*row) for row in results.tolist()] == [Result(A_WINS, 2, 59, 0), Result(A_WINS, 2, 55, 0)]


def test_explosion_loses_to_who_survives_and_to_who_does_not(dex: Dex) -> None:
    electrode, explosion = dex.find_form("Electrode").id, dex.find_move("Explosion").id
    caterpie, tackle = dex.find_form("Caterpie").id, dex.find_move("Tackle").id
    with SimulatorPool(dex, 1) as pool:
        results = pool.play_battles(
            np.array(
                [(electrode, explosion, caterpie, tackle), (caterpie, tackle, electrode, explosion)], dtype=np.uint16
            ),
            np.ones((2, 4), dtype=np.uint16),
        )
    assert [Result(*row) for row in results.tolist()] == [Result(B_WINS, 1, 0, 0), Result(A_WINS, 1, 0, 0)]


def test_results_do_not_depend_on_workers_chunks_or_where_a_run_was_cut(
    dex: Dex, duels: Duels, wins: list[int]
) -> None:
    with SimulatorPool(dex, 2, chunk_size=7) as pool:
        parts = [pool.play(duels[rows], 9, 3, first=rows.start).wins_a for rows in (slice(0, 25), slice(25, 60))]
    assert np.concatenate(parts).tolist() == wins


def test_another_seed_gives_other_results(dex: Dex, duels: Duels, wins: list[int]) -> None:
    with SimulatorPool(dex, 1) as pool:
        assert pool.play(duels, seed=10, battles=3).wins_a.tolist() != wins


def test_progress_counts_every_battle_once(dex: Dex, duels: Duels) -> None:
    played: list[int] = []
    with SimulatorPool(dex, 2, chunk_size=50) as pool:
        pool.play(duels, 9, 3, on_progress=played.append)
    assert sorted(played) == [30, 50, 50, 50]


def test_seeds_are_a_function_of_run_duel_and_battle() -> None:
    assert battle_seeds(1, np.array([0, 0, 7]), np.array([0, 1, 0])).tolist() == [
        [45450, 756, 28045, 34499],
        [27735, 38369, 19259, 32307],
        [27648, 44569, 18195, 44435],
    ]


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_killed_or_stopped_in_the_middle_is_replaced(
    dex: Dex, duels: Duels, wins: list[int], kind: signal.Signals
) -> None:
    victims: list[int] = []

    def strike(battles: int) -> None:
        if not victims:
            victims.extend(pool.pids)
            for pid in victims:
                os.kill(pid, kind)

    with SimulatorPool(dex, 2, chunk_size=4, timeout_seconds=20) as pool:
        assert pool.play(duels, 9, 3, on_progress=strike).wins_a.tolist() == wins
        assert len(victims) == 2
        assert not set(victims) & set(pool.pids)


# What a faulty worker does with its first chunk; the second process of the same script is the real thing.
FAULTS = {
    "exits": "process.exit(3)",
    "throws": "throw new Error('no such luck')",
    "exits half-way through the answer": "process.stdout.write(head(0.5), () => process.exit(0))",
    "never ends its answer": "process.stdout.write('1 1 1 1 1\\n'.repeat(100000))",
    "says nothing": "0",
    "closes its output and lives on": "fs.closeSync(1)",
    "answers with other numbers": "answer(text => text.replace(/^(\\d+)/, n => +n + 1))",
    "leaves out a line": "answer(text => text.replace(/^.*\\n/, ''))",
    "repeats a line": "answer(text => text.replace(/^.*\\n/, '$&$&'))",
    "writes words": "answer(text => text.replace(/^(\\d+) \\d/, '$1 x'))",
    "writes another winner": "answer(text => text.replace(/^(\\d+) \\d/, '$1 3'))",
    "lets the fainted win": "answer(text => text.replace(/^(\\d+) \\d (\\d+) \\d+ \\d+/, '$1 1 $2 0 9'))",
    "writes too many turns": "answer(text => text.replace(/^(\\d+ \\d) \\d+/, '$1 201'))",
    "writes impossible HP": "answer(text => text.replace(/^(\\d+) \\d (\\d+) \\d+ \\d+/, '$1 1 $2 331 0'))",
    "has a wrong checksum": "process.stdout.write(head(1).replace(/\\d+\\n$/, '1\\n'))",
    "answers another chunk": "process.stdout.write(head(1).replace(/end \\d+/, 'end 99'))",
}
DRAWS = "answer(text => text.replaceAll(/^(\\d+) .*/gm, '$1 2 7 0 0'))"
FAULTY_WORKER = """
const fs = require('node:fs');
const { crc32 } = require('node:zlib');
const worker = process.argv[2], marker = process.argv[3];
if (fs.existsSync(marker)) {
  require(worker);
} else {
  fs.writeFileSync(marker, '');
  process.stdin.once('data', data => {
    const [chunk, count] = data.toString().split('\\n')[0].split(' ').map(Number);
    const lines = Array.from({ length: count }, (_, i) => `${chunk + i} 1 2 3 0\\n`).join('');
    const whole = text => `${text}end ${chunk} ${count} ${crc32(text)}\\n`;
    const head = share => whole(lines).slice(0, Math.round(share * whole(lines).length));
    const answer = change => process.stdout.write(whole(change(lines)));
    FAULT;
  });
}
"""


@pytest.fixture
def faulty_command(request: pytest.FixtureRequest, tmp_path: Path, dex: Dex) -> Iterator[tuple[str, ...]]:
    script = tmp_path / "faulty.js"
    script.write_text(FAULTY_WORKER.replace("FAULT", FAULTS[request.param]))
    node, worker = worker_command()
    yield (node, str(script), worker, str(tmp_path / "marker"))
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("faulty_command", FAULTS, indirect=True)
def test_a_worker_that_misbehaves_leaves_no_trace(
    dex: Dex, duels: Duels, wins: list[int], faulty_command: tuple[str, ...]
) -> None:
    with SimulatorPool(dex, 1, timeout_seconds=20, command=faulty_command) as pool:
        assert pool.play(duels, 9, 3).wins_a.tolist() == wins


def test_battles_that_no_process_can_play_are_named(dex: Dex, duels: Duels) -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('out of order')")
    with (
        SimulatorPool(dex, 1, chunk_size=40, attempts=2, command=command) as pool,
        pytest.raises(SimulatorError, match=r"Battles 0 to 39 .* in 2 attempts.*exit code 1\); out of order"),
    ):
        pool.play(duels, 9)


def test_a_program_that_is_not_there_is_named(dex: Dex, duels: Duels) -> None:
    with (
        SimulatorPool(dex, 1, command=("/nowhere/node",)) as pool,
        pytest.raises(SimulatorError, match=r"cannot be started .*/nowhere/node"),
    ):
        pool.play(duels, 9)


def test_a_duel_that_cannot_be_played_has_no_answer(dex: Dex) -> None:
    request = b"0 2\n0 mew N tackle mew N tackle 1,2,3,4\n1 mew N tackle mew N splashdown 1,2,3,4\n"
    run = subprocess.run(worker_command(), input=request, capture_output=True, check=False)
    assert (run.returncode, run.stdout) == (1, b"")
    assert b"duel 1 mew N tackle mew N splashdown" in run.stderr
    assert b"no splashdown in this game" in run.stderr


def test_a_draw_is_counted(dex: Dex, duels: Duels, tmp_path: Path) -> None:
    script = tmp_path / "draws.js"
    script.write_text(
        FAULTY_WORKER.replace("fs.existsSync(marker)", "false").replace("once(", "on(").replace("FAULT", DRAWS)
    )
    command = (worker_command()[0], str(script), "", str(tmp_path / "marker"))
    with SimulatorPool(dex, 1, command=command) as pool:
        tally = pool.play(duels[:4], 9, 3)
    assert (tally.wins_a.tolist(), tally.draws.tolist()) == ([0] * 4, [3] * 4)


def test_nothing_runs_on_after_the_pool(dex: Dex, duels: Duels) -> None:
    with SimulatorPool(dex, 2, chunk_size=10) as pool:
        pool.play(duels, 1)
        pids = pool.pids
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_no_duels_no_results(dex: Dex) -> None:
    with SimulatorPool(dex, 1) as pool:
        tally = pool.play(np.empty((0, 4), dtype=np.uint16), 1, 5)
    assert (tally.battles, tally.wins_a.tolist(), tally.draws.tolist()) == (5, [], [])
