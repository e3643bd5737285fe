"""Win probabilities of one request: from the tablebase where a version has one, else from ONNX."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.errors import ModelDamagedError
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.lookup import Answer, Lookup
from api_pokemon.model.registry import MODEL_FILE, TABLEBASE_DIR, ModelMetadata, load_metadata
from api_pokemon.model.tablebase import check_tablebase, load_tablebase, oriented

if TYPE_CHECKING:
    from api_pokemon.model.onnx_score import OnnxScore

Engine = Literal["tablebase", "onnx"]


class ModelPredictor:
    """A model version that answers.

    Parameters
    ----------
    metadata, features, score
        The version; what turns duels into rows; what scores rows.
    """

    def __init__(self, metadata: ModelMetadata, features: FeatureTables, score: "OnnxScore", folder: Path) -> None:
        self.metadata = metadata
        self.version = metadata.version
        self.features = features
        self.tables: DuelTables = features.tables
        self.score = score
        self.folder = folder
        self._lookup: Lookup | None = None

    @property
    def engine(self) -> Engine:
        """What answers for learnable moves."""
        return "onnx" if self._lookup is None else "tablebase"

    def load_tablebase(self) -> None:
        """Answer from the version's tablebase from now on.

        Raises
        ------
        ModelMissingError, ModelDamagedError
            There is none, or it cannot be trusted; ONNX goes on answering.
        """
        folder = self.folder / TABLEBASE_DIR
        tablebase = load_tablebase(folder, self.metadata.model_sha256, self.features, self.score)
        self._lookup = Lookup(tablebase, self.tables)

    def check_files(self) -> None:
        """See whether what lies in the version's folder is still what answers here.

        What answers is a copy of it as it was, so nothing that befalls the files changes an answer.

        Raises
        ------
        ModelMissingError, ModelDamagedError
            A file is absent, damaged, or another one.
        """
        found = load_metadata(self.folder)
        if found.model_sha256 != self.metadata.model_sha256:
            raise ModelDamagedError(f"{self.folder / MODEL_FILE} is another model than the one that answers.")
        if self._lookup is not None:
            check_tablebase(self.folder / TABLEBASE_DIR, self.metadata.model_sha256)

    def answer(
        self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None
    ) -> Sequence[Answer]:
        """Answer one request; forms and moves are rows of the tables.

        Parameters
        ----------
        moves_b
            B's replies; None for all damaging moves of its learnset, which must not be empty.

        Returns
        -------
        One for each of A's moves.
        """
        if self._lookup is None:
            return self._live(form_a, moves_a, form_b, moves_b)
        found = self._lookup.find(form_a, moves_a, form_b, moves_b)
        if None not in found:
            return cast("list[Answer]", found)
        unknown = [move for move, answer in zip(moves_a, found, strict=True) if answer is None]
        live = iter(self._live(form_a, unknown, form_b, moves_b))
        return [answer or next(live) for answer in found]

    def _live(
        self, form_a: int, named_a: Sequence[int], form_b: int, named_b: Sequence[int] | None
    ) -> Sequence[Answer]:
        tables = self.tables
        moves_a = np.asarray(named_a, dtype=np.intp)
        if named_b is None:
            moves_b = tables.pair_move[tables.first_pair[form_b] : tables.first_pair[form_b + 1]]
        else:
            moves_b = np.asarray(named_b, dtype=np.intp)
        k, n = len(moves_a), len(moves_b)
        # One call for both sides: at this size numpy's calls cost more than what they compute.
        attacker = np.concatenate([np.full(k, form_a), np.full(n, form_b)])
        target = np.concatenate([np.full(k, form_b), np.full(n, form_a)])
        both = self.features.attacks(attacker, np.concatenate([moves_a, moves_b]), target)
        rows, a_first = self.features.rows(both, np.repeat(np.arange(k), n), np.tile(np.arange(k, k + n), k))
        wins = oriented(self.score(rows), a_first).reshape(k, n)
        if form_a == form_b:
            wins[moves_a[:, None] == moves_b] = 0.5
        best = wins.argmin(1)
        numbers = both.numbers
        columns = (
            wins[np.arange(k), best],
            moves_b[best],
            numbers.expected_damage[:k],
            numbers.uses_to_knock_out[:k],
            numbers.uses_to_knock_out[k:][best],
        )
        return [Answer(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def open_model(dex: Dex, folder: Path) -> ModelPredictor:
    """Load a version's model; its tablebase is a call of its own.

    Raises
    ------
    ModelMissingError, ModelDamagedError
        A file is absent, damaged, or made for other features than this package's.
    """
    from api_pokemon.model.onnx_score import OnnxScore  # onnxruntime: 10 MB that a worker, which scores nothing, spares

    metadata = load_metadata(folder)
    if metadata.features != FEATURES:
        raise ModelDamagedError(
            f"Model {metadata.version} in {folder} was made for other features than this version of the package has; "
            "train it anew with `api-pokemon train`."
        )
    return ModelPredictor(metadata, FeatureTables(DuelTables(dex)), OnnxScore(folder / MODEL_FILE), folder)
