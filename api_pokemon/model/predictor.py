"""Win probabilities of one request: from the tablebase where a version has one, else from ONNX."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.errors import ModelDamagedError
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.gathering import Begun, Gathering, completed
from api_pokemon.model.live import Question, answer_together
from api_pokemon.model.lookup import Answer, Lookup
from api_pokemon.model.registry import MODEL_FILE, TABLEBASE_DIR, ModelMetadata, load_metadata
from api_pokemon.model.tablebase import check_tablebase, load_tablebase

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
        self._gathering = Gathering(self.answer_many)
        self._learnsets: list[list[int]] = [
            moves.tolist() for moves in np.split(self.tables.pair_move, self.tables.first_pair[1:-1])
        ]

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
    ) -> list[Answer]:
        """Answer one request; forms and moves are rows of the tables.

        Parameters
        ----------
        moves_b
            B's replies; None for all damaging moves of its learnset, which must not be empty.

        Returns
        -------
        One for each of A's moves.
        """
        found = self._find(form_a, moves_a, form_b, moves_b)
        if None not in found:
            return cast("list[Answer]", found)
        (rest,) = self.answer_many([self.question(form_a, _unknown(moves_a, found), form_b, moves_b)])
        return completed(found, rest)

    def begin(self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None) -> Begun:
        """As :meth:`answer`, on a running event loop: what needs inference waits to be answered with others."""
        found = self._find(form_a, moves_a, form_b, moves_b)
        if None not in found:
            return Begun(found)
        return Begun(found, self._gathering.ask(self.question(form_a, _unknown(moves_a, found), form_b, moves_b)))

    def answer_many(self, questions: Sequence[Question]) -> list[list[Answer]]:
        """Answer questions by inference in one run, whatever the tablebase knows; each as it would be alone."""
        return answer_together(self.features, self.score, questions)

    def _find(
        self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None
    ) -> list[Answer | None]:
        """What needs no inference."""
        if self._lookup is None:
            return [None] * len(moves_a)
        return self._lookup.find(form_a, moves_a, form_b, moves_b)

    def question(
        self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None
    ) -> Question:
        """What :meth:`answer` asks of the model where nothing is known."""
        return Question(form_a, moves_a, form_b, self._learnsets[form_b] if moves_b is None else moves_b)


def _unknown(moves: Sequence[int], found: Sequence[Answer | None]) -> list[int]:
    return [move for move, answer in zip(moves, found, strict=True) if answer is None]


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
