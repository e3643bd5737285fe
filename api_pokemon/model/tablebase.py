"""A model version compiled over its whole domain, as chess engines do with endgames.

The duel rules make the domain finite: every learnable (form, move) pair against every other. Compiling asks the model
about each matchup once; answering is then a look-up.
"""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.tables import DuelTables
from api_pokemon.errors import ModelDamagedError, ModelMissingError
from api_pokemon.model.attack_columns import AttackRows
from api_pokemon.model.features import FeatureTables
from api_pokemon.model.registry import file_sha256

SCALE = 65534
"""Probabilities are stored as integers out of this even number, so that 1/2 and 1 − p are exact."""
SAMPLES = 256
TOLERANCE = 0.0005
MANIFEST_FILE = "manifest.json"
ARRAYS = ("win", "worst_win", "worst_reply", "damage", "uses")

_REMEDY = "it must be compiled anew (`api-pokemon tablebase`)."
_COPIED_BYTES = 1 << 20

T = TypeVar("T")

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Tablebase:
    """Answers in memory, or mapped; n is the number of pairs, of which there are about 3,400.

    Attributes
    ----------
    win : (n, n) uint16, P(row beats column) x ``SCALE``
    worst_win : (n, forms) uint16, the same for the form's worst reply; ``SCALE`` + 1 for a form without damaging moves
    worst_reply : (n, forms) uint16, the reply, as a pair
    damage : (n, forms) float32, mean damage of one use as a share of the target's HP, misses included
    uses : (n, forms) float32, mean uses to knock the target out
    """

    win: NDArray[np.uint16]
    worst_win: NDArray[np.uint16]
    worst_reply: NDArray[np.uint16]
    damage: NDArray[np.float32]
    uses: NDArray[np.float32]


def compile_tablebase(
    features: FeatureTables,
    score: Score,
    model_sha256: str,
    target: Path,
    progress: Progress = lambda done, total: None,
) -> None:
    """Ask the model about every matchup and store the answers in the folder ``target``, all or nothing.

    Parameters
    ----------
    score
        Feature rows (n, features) to the first's win probability (n,).
    model_sha256
        The model that ``score`` is; the tablebase is only valid for it.
    progress
        Called with matchups done and to do.
    """
    tables = features.tables
    every = every_attack(features)
    win = _all_wins(tables, features, every, score, progress)
    worst_win, worst_reply = _worst_replies(tables, win)
    shape = (len(tables.pair_form), len(tables.form_ids))
    damage = every.numbers.expected_damage.reshape(shape).astype(np.float32)
    uses = every.numbers.uses_to_knock_out.reshape(shape).astype(np.float32)
    arrays: tuple[NDArray[np.generic], ...] = (win, worst_win, worst_reply, damage, uses)
    staged = Path(tempfile.mkdtemp(prefix=".tablebase-", dir=target.parent))
    try:
        for name, array in zip(ARRAYS, arrays, strict=True):
            np.save(staged / f"{name}.npy", array)
        hashes = {name: file_sha256(staged / f"{name}.npy") for name in ARRAYS}
        manifest = {"model_sha256": model_sha256, "pairs": len(win), "sha256": hashes}
        (staged / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        staged.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        try:
            staged.rename(target)
        except OSError:  # another process has just finished the same work
            if not (target / MANIFEST_FILE).is_file():
                raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def load_tablebase(folder: Path, model_sha256: str, features: FeatureTables, score: Score) -> Tablebase:
    """Open a tablebase; check its hashes, the model that it is of, and a sample of its answers.

    What befalls its files afterwards changes nothing: see :func:`check_tablebase`.

    Raises
    ------
    ModelMissingError
        There is none.
    ModelDamagedError
        It is damaged, or another model's.
    """
    tablebase = Tablebase(**_read_sound(folder, model_sha256, _own_array))
    if (
        tablebase.win.shape != (len(features.tables.pair_form),) * 2
        or _sample_error(tablebase, features, score) > TOLERANCE
    ):
        raise ModelDamagedError(f"The tablebase in {folder} does not answer as its model does; {_REMEDY}")
    return tablebase


def check_tablebase(folder: Path, model_sha256: str) -> None:
    """See whether the files of a tablebase are still as they were made.

    Raises
    ------
    ModelMissingError
        There is none.
    ModelDamagedError
        It is damaged, or another model's.
    """
    _read_sound(folder, model_sha256, _check_array)


def _read_sound(folder: Path, model_sha256: str, read: Callable[[Path, str], T]) -> dict[str, T]:
    """Read each array, given the hash that it should have."""
    if not (folder / MANIFEST_FILE).is_file():
        raise ModelMissingError(f"{folder} holds no tablebase; make it with `api-pokemon tablebase`.")
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        own = manifest["model_sha256"] == model_sha256
        found = {name: read(folder / f"{name}.npy", manifest["sha256"][name]) for name in ARRAYS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDamagedError(f"The tablebase in {folder} cannot be read ({error}); {_REMEDY}") from error
    if not own:
        raise ModelDamagedError(f"The tablebase in {folder} is another model's; {_REMEDY}")
    return found


def _own_array(path: Path, sha256: str) -> NDArray[Any]:
    """The array of a file as it is now: were the file itself mapped, whoever wrote into it would change answers.

    Mapped from a copy that has no name, whose memory the kernel may take back; held in memory where there can be none.
    """
    try:
        with tempfile.TemporaryFile(dir=path.parent) as copy:
            _copy(path, copy, sha256)
            np.lib.format.read_magic(copy)
            shape, _, dtype = np.lib.format.read_array_header_1_0(copy)
            return np.memmap(copy, dtype, "r", copy.tell(), shape)
    except OSError:  # the disk is full, or not for us to write
        held = io.BytesIO()
        _copy(path, held, sha256)
        return np.asarray(np.load(held))


def _copy(path: Path, target: IO[bytes], sha256: str) -> None:
    with path.open("rb") as file:
        shutil.copyfileobj(file, target, _COPIED_BYTES)
    target.seek(0)
    hashed = hashlib.sha256()
    while block := target.read(_COPIED_BYTES):  # of the copy, which is what answers
        hashed.update(block)
    target.seek(0)
    if hashed.hexdigest() != sha256:
        raise _damaged(path)


def _check_array(path: Path, sha256: str) -> None:
    if file_sha256(path) != sha256:
        raise _damaged(path)


def _damaged(path: Path) -> ModelDamagedError:
    return ModelDamagedError(f"The tablebase in {path.parent} is damaged; {_REMEDY}")


def every_attack(features: FeatureTables) -> AttackRows:
    """Every learnable pair on every form: row ``pair x forms + form``."""
    tables = features.tables
    forms = len(tables.form_ids)
    attacker, move = np.repeat(tables.pair_form, forms), np.repeat(tables.pair_move, forms)
    return features.attacks(attacker, move, np.tile(np.arange(forms), len(tables.pair_form)))


def _all_wins(
    tables: DuelTables, features: FeatureTables, every: AttackRows, score: Score, progress: Progress
) -> NDArray[np.uint16]:
    pairs, forms = len(tables.pair_form), len(tables.form_ids)
    win = np.empty((pairs, pairs), dtype=np.uint16)
    total, done = pairs * (pairs + 1) // 2, 0
    for pair in range(pairs):
        others = np.arange(pair, pairs)
        met = np.stack([pair * forms + tables.pair_form[others], others * forms + tables.pair_form[pair]])
        rows, a_first = features.rows(every, met)
        stored = np.rint(oriented(score(rows), a_first) * SCALE).astype(np.uint16)
        stored[0] = SCALE // 2  # a pair against itself
        win[pair, pair:] = stored
        win[pair:, pair] = SCALE - stored
        done += len(others)
        progress(done, total)
    return win


def _worst_replies(tables: DuelTables, win: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    shape = (len(win), len(tables.form_ids))
    worst, reply = np.full(shape, SCALE + 1, dtype=np.uint16), np.zeros(shape, dtype=np.uint16)
    for form, (start, end) in enumerate(zip(tables.first_pair[:-1], tables.first_pair[1:], strict=True)):
        if end > start:
            best = win[:, start:end].argmin(1)
            reply[:, form] = start + best
            worst[:, form] = win[np.arange(len(win)), start + best]
    return worst, reply


def _sample_error(tablebase: Tablebase, features: FeatureTables, score: Score) -> float:
    """Largest difference between stored and live answers on a fixed sample of matchups."""
    tables = features.tables
    a, b = np.random.default_rng(0).integers(0, len(tables.pair_form), (2, SAMPLES))
    a, b = a[a != b], b[a != b]
    rows, a_first = features.duels(tables.pair_form[a], tables.pair_move[a], tables.pair_form[b], tables.pair_move[b])
    live = oriented(score(rows), a_first)
    return float(np.abs(tablebase.win[a, b] / SCALE - live).max())


def oriented(first_wins: NDArray[np.float32], a_first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A's chance from the first's."""
    wins = first_wins.astype(np.float64)
    return np.where(a_first, wins, 1 - wins)
