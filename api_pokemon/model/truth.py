"""What a model is measured against: duels between forms that no training ever saw, each played many times.

Three sets, as parquet files in one folder:

``duels``
    Random learnable matchups.
``choices``
    One form's several moves against one known reply: which is best?
``replies``
    One form's several moves against each reply of the opponent's learnset. Replies that are, or nearly are, the worst
    are played again, so that the minimum over noisy shares does not pass for the truth.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from api_pokemon.battle.simulator import RULES_VERSION, SimulatorPool, Tally
from api_pokemon.battle.simulator.setup import simulator_version
from api_pokemon.battle.split import held_out
from api_pokemon.battle.tables import DuelTables
from api_pokemon.errors import ModelError
from api_pokemon.model.duel_file import DUEL_COLUMNS, read_duels, to_ids

SETS = ("duels", "choices", "replies")
MOVES = 4
NEAR_WORST = 0.2
MOST_NEAR = 4
"""The replies that are played again: those within this share of wins of the worst, and at most so many."""

Ints = NDArray[np.int64]
Played = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class TruthSet:
    """Duels played many times; every array has one row a duel.

    Attributes
    ----------
    situation : (n,) rows of one number are one request: the same forms, several moves, perhaps several replies
    form_a, move_a, form_b, move_b : (n,) rows of ``DuelTables``
    battles, wins_a : (n,) times played, and won by A
    battles_again, wins_again : (n,) the same for a second, independent run; 0 where there was none
    """

    situation: Ints
    form_a: Ints
    move_a: Ints
    form_b: Ints
    move_b: Ints
    battles: Ints
    wins_a: Ints
    battles_again: Ints
    wins_again: Ints


@dataclass(frozen=True, slots=True)
class Truth:
    """The three sets."""

    duels: TruthSet
    choices: TruthSet
    replies: TruthSet


@dataclass(frozen=True, slots=True)
class TruthSize:
    """How much is played: matchups, requests, battles of each duel, and battles more of the replies near the worst."""

    duels: int = 4_000
    choices: int = 2_000
    replies: int = 300
    battles: int = 60
    again: int = 200


def simulate_truth(pool: SimulatorPool, tables: DuelTables, seed: int, size: TruthSize, played: Played) -> Truth:
    """Play the three sets.

    Parameters
    ----------
    played
        Called with the number of battles just played.
    """
    rng = np.random.default_rng(seed)
    plans = _plans(tables, rng, size)
    again = (0, size.battles, size.again)
    sets = [
        _play(pool, tables, plan, (seed * 10 + 2 * number, size.battles, more), played, near_worst=number == 2)
        for number, (plan, more) in enumerate(zip(plans, again, strict=True))
    ]
    return Truth(*sets)


def truth_battles(tables: DuelTables, seed: int, size: TruthSize) -> int:
    """Battles that `simulate_truth` will play, at most."""
    rng = np.random.default_rng(seed)
    duels, choices, replies = _plans(tables, rng, size)
    requests = len(np.unique(replies[:, 0] * 1000 + replies[:, 2]))
    first = size.battles * (len(duels) + 2 * len(choices) + len(replies))
    return first + size.again * requests * MOST_NEAR


def save_truth(truth: Truth, folder: Path, tables: DuelTables, seed: int) -> None:
    """Write the three files, with forms and moves by id, and how they were made."""
    folder.mkdir(parents=True, exist_ok=True)
    made_by = json.dumps({"simulator": simulator_version(), "rules": RULES_VERSION, "seed": seed})
    for name in SETS:
        subset: TruthSet = getattr(truth, name)
        columns = to_ids({field: getattr(subset, field) for field in TruthSet.__slots__}, tables)
        table = pa.table({field: pa.array(values, pa.uint16()) for field, values in columns.items()})
        table = table.replace_schema_metadata({"api_pokemon.truth": made_by})
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd", compression_level=19)


def load_truth(folder: Path, tables: DuelTables) -> Truth:
    """Read what `save_truth` wrote.

    Raises
    ------
    ModelError
        A file is missing, or is none of these.
    """
    numbers = tuple(field for field in TruthSet.__slots__ if field not in DUEL_COLUMNS)
    try:
        return Truth(*(TruthSet(**read_duels(folder / f"{name}.parquet", tables, numbers)) for name in SETS))
    except ModelError as error:
        raise ModelError(f"{error} Make the truth with `api-pokemon evaluate --simulate SEED`.") from error


def _plans(tables: DuelTables, rng: np.random.Generator, size: TruthSize) -> tuple[Ints, Ints, Ints]:
    return _duels(tables, rng, size.duels), _choices(tables, rng, size.choices), _replies(tables, rng, size.replies)


def _duels(tables: DuelTables, rng: np.random.Generator, count: int) -> Ints:
    """Rows (situation, form A, move A, form B, move B) of rows of the tables."""
    pairs = len(tables.pair_form)
    chosen: list[Ints] = []
    while sum(map(len, chosen)) < count:
        a, b = rng.integers(0, pairs, (2, 50 * count))
        kept = _held_out(tables, tables.pair_form[a], tables.pair_form[b])
        chosen.append(np.column_stack([a[kept], b[kept]]))
    a, b = np.concatenate(chosen)[:count].T
    columns = (np.arange(count), tables.pair_form[a], tables.pair_move[a], tables.pair_form[b], tables.pair_move[b])
    return np.column_stack(columns)


def _choices(tables: DuelTables, rng: np.random.Generator, count: int) -> Ints:
    rows = []
    for situation, (form_a, form_b) in enumerate(_form_pairs(tables, rng, count)):
        reply = rng.choice(_moves(tables, form_b))
        rows += [(situation, form_a, move, form_b, reply) for move in _some_moves(tables, rng, form_a)]
    return np.array(rows)


def _replies(tables: DuelTables, rng: np.random.Generator, count: int) -> Ints:
    rows = []
    for situation, (form_a, form_b) in enumerate(_form_pairs(tables, rng, count)):
        for move in _some_moves(tables, rng, form_a):
            rows += [(situation, form_a, move, form_b, reply) for reply in _moves(tables, form_b)]
    return np.array(rows)


def _form_pairs(tables: DuelTables, rng: np.random.Generator, count: int) -> Ints:
    able = np.flatnonzero(np.diff(tables.first_pair))
    a, b = able[rng.integers(0, len(able), (2, 100 * count))]
    kept = _held_out(tables, a, b)
    return np.column_stack([a[kept], b[kept]])[:count]


def _held_out(tables: DuelTables, form_a: Ints, form_b: Ints) -> NDArray[np.bool_]:
    ids = np.array(tables.form_ids)
    return held_out(ids[form_a], ids[form_b])


def _moves(tables: DuelTables, form: int) -> Ints:
    return np.asarray(tables.pair_move[tables.first_pair[form] : tables.first_pair[form + 1]], dtype=np.int64)


def _some_moves(tables: DuelTables, rng: np.random.Generator, form: int) -> Ints:
    moves = _moves(tables, form)
    return rng.choice(moves, min(MOVES, len(moves)), replace=False)


def _play(
    pool: SimulatorPool,
    tables: DuelTables,
    plan: Ints,
    run: tuple[int, int, int],
    played: Played,
    near_worst: bool,
) -> TruthSet:
    """Play a plan; ``run`` is the seed, the battles of each duel, and the battles of the second run."""
    seed, battles, again = run
    form_ids, move_ids = np.array(tables.form_ids), np.array(tables.moves.ids)
    situation, form_a, move_a, form_b, move_b = plan.T
    duels = np.column_stack([form_ids[form_a], move_ids[move_a], form_ids[form_b], move_ids[move_b]]).astype(np.uint16)
    wins = _wins(pool.play(duels, seed, battles, on_progress=played))
    times_again, wins_again = np.zeros(len(plan), dtype=np.int64), np.zeros(len(plan), dtype=np.int64)
    if again:
        chosen = _near_worst(situation, move_a, wins / battles) if near_worst else np.ones(len(plan), dtype=np.bool_)
        times_again[chosen] = again
        wins_again[chosen] = _wins(pool.play(duels[chosen], seed + 1, again, on_progress=played))
    return TruthSet(
        situation, form_a, move_a, form_b, move_b, np.full(len(plan), battles), wins, times_again, wins_again
    )


def _wins(tally: Tally) -> Ints:
    if tally.draws.any():
        raise ModelError("A simulated duel ended in a draw, which says nothing about who wins.")
    return tally.wins_a.astype(np.int64)


def _near_worst(situation: Ints, move: Ints, share: NDArray[np.float64]) -> NDArray[np.bool_]:
    request = situation * 1000 + move
    order = np.lexsort([share, request])
    starts = np.flatnonzero(np.diff(request[order], prepend=-1))
    lengths = np.diff(starts, append=len(order))
    place = np.arange(len(order)) - np.repeat(starts, lengths)
    worst = np.repeat(share[order][starts], lengths)
    chosen = np.zeros(len(share), dtype=np.bool_)
    chosen[order] = (place < MOST_NEAR) & (share[order] <= worst + NEAR_WORST)
    return chosen
