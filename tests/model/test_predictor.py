"""ONNX, XGBoost and the tablebase answer alike."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.errors import ModelDamagedError, ModelMissingError
from api_pokemon.model import Answer, ModelPredictor, open_model
from api_pokemon.model.features import FeatureTables
from api_pokemon.model.onnx_score import OnnxScore
from api_pokemon.model.registry import MODEL_FILE, SHIPPED, shipped_version
from api_pokemon.model.tablebase import TOLERANCE
from tests.model.conftest import Trained

ROOT = Path(__file__).parents[2]
Request = tuple[int, NDArray[np.intp], int, NDArray[np.intp] | None]


def wins(answers: Sequence[Answer]) -> list[float]:
    return [answer.win_probability for answer in answers]


def requests(tables: DuelTables, count: int, *, learnable: bool, seed: int) -> list[Request]:
    """Requests as rows of the tables; every second one with given replies, every tenth of a form against itself."""
    random = np.random.default_rng(seed)
    able = np.unique(tables.pair_form)
    made: list[Request] = []
    for number in range(count):
        form_a, form_b = random.choice(able, 2).tolist()
        if number % 10 == 0:
            form_b = form_a
        known = [tables.pair_move[tables.pair_form == form] for form in (form_a, form_b)]
        every = np.arange(len(tables.moves.ids))
        moves_a, moves_b = (random.choice(m if learnable else every, min(4, len(m)), replace=False) for m in known)
        made.append((form_a, moves_a, form_b, moves_b if number % 2 else None))
    return made


def test_onnx_answers_as_xgboost_does(trained: Trained, features: FeatureTables, tables: DuelTables) -> None:
    """On rows that neither trained on, of any form with any move."""
    random = np.random.default_rng(1)
    forms, moves = len(tables.form_ids), len(tables.moves.ids)
    rows, _ = features.duels(*(random.integers(0, high, 50_000) for high in (forms, moves, forms, moves)))
    expected = trained.booster.predict(xgboost.DMatrix(rows))
    assert np.abs(OnnxScore(trained.onnx)(rows) - expected).max() < 1e-5
    assert expected.std() > 0.3


@pytest.mark.parametrize("learnable", [True, False])
def test_live_chances_of_both_sides_add_up_to_one(live: ModelPredictor, tables: DuelTables, learnable: bool) -> None:
    for form_a, moves_a, form_b, moves_b in requests(tables, 100, learnable=learnable, seed=2):
        replies = tables.pair_move[tables.pair_form == form_b] if moves_b is None else moves_b
        for move in moves_a:
            for reply in replies[:3]:
                one = live.answer(form_a, np.array([move]), form_b, np.array([reply]))[0].win_probability
                other = live.answer(form_b, np.array([reply]), form_a, np.array([move]))[0].win_probability
                assert one + other == pytest.approx(1, abs=1e-6)


def test_a_duel_against_itself_is_even(live: ModelPredictor, stored: ModelPredictor, tables: DuelTables) -> None:
    for pair in range(0, len(tables.pair_form), 50):
        form, move = int(tables.pair_form[pair]), tables.pair_move[[pair]]
        for predictor in (live, stored):
            assert wins(predictor.answer(form, move, form, move)) == [0.5]


def test_the_worst_reply_is_the_worst_of_all(live: ModelPredictor, stored: ModelPredictor, tables: DuelTables) -> None:
    for form_a, moves_a, form_b, moves_b in requests(tables, 60, learnable=True, seed=3):
        replies = tables.pair_move[tables.pair_form == form_b] if moves_b is None else moves_b
        for predictor in (live, stored):
            grid = np.array(
                [
                    [predictor.answer(form_a, moves_a[[k]], form_b, replies[[n]])[0].win_probability for n in
                     range(len(replies))]
                    for k in range(len(moves_a))
                ]
            )  # fmt: skip
            answers = predictor.answer(form_a, moves_a, form_b, moves_b)
            assert wins(answers) == pytest.approx(grid.min(1), abs=1e-7)
            chosen = [replies.tolist().index(answer.reply) for answer in answers]
            assert grid[range(len(moves_a)), chosen] == pytest.approx(grid.min(1), abs=1e-7)


def same(actual: Answer, expected: Answer) -> None:
    assert actual.win_probability == pytest.approx(expected.win_probability, abs=TOLERANCE)
    assert actual.damage == pytest.approx(expected.damage, rel=1e-6)
    assert actual.uses == pytest.approx(expected.uses, rel=1e-6)
    if actual.reply == expected.reply:
        assert actual.reply_uses == pytest.approx(expected.reply_uses, rel=1e-6)


@pytest.mark.parametrize("learnable", [True, False])
def test_the_tablebase_answers_as_onnx_does(
    live: ModelPredictor, stored: ModelPredictor, tables: DuelTables, learnable: bool
) -> None:
    """Also for requests of which it knows a part only, or nothing."""
    assert (live.engine, stored.engine) == ("onnx", "tablebase")
    alike = total = 0
    for request in requests(tables, 300, learnable=learnable, seed=4):
        for actual, expected in zip(stored.answer(*request), live.answer(*request), strict=True):
            same(actual, expected)
            alike += actual.reply == expected.reply
            total += 1
    assert alike > 0.97 * total


def test_what_the_tablebase_knows_is_looked_up(
    stored: ModelPredictor, tables: DuelTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        asked.append(len(rows))
        return np.full(len(rows), 0.25, dtype=np.float32)

    monkeypatch.setattr(stored, "score", score)
    form_a, form_b = 24, 142  # any two
    known, unknown = (np.flatnonzero((tables.pair_row[form_a] >= 0) == learned) for learned in (True, False))
    replies = np.count_nonzero(tables.pair_form == form_b)
    stored.answer(form_a, known, form_b)
    stored.answer(form_a, known, form_b, tables.pair_move[tables.pair_form == form_b])
    assert asked == []
    mixed = stored.answer(form_a, np.array([known[0], unknown[0], known[1]]), form_b)
    assert asked == [replies]
    assert mixed[1].win_probability in (0.25, 0.75)
    assert [mixed[0], mixed[2]] == stored.answer(form_a, known[:2], form_b)
    foreign = np.flatnonzero(tables.pair_row[form_b] < 0)[:1]
    stored.answer(form_a, known[:2], form_b, np.concatenate([foreign, tables.pair_move[tables.pair_form == form_b]]))
    assert asked == [replies, 2 * (replies + 1)]


def test_loading_a_tablebase_that_is_not_there_leaves_onnx(dex: Dex, trained: Trained) -> None:
    predictor = open_model(dex, trained.folder)
    with pytest.raises(ModelMissingError, match="holds no tablebase; make it with `api-pokemon tablebase`"):
        predictor.load_tablebase()
    assert predictor.engine == "onnx"


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" * 500])
def test_what_is_no_onnx_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelDamagedError, match=r"onnxruntime cannot read .*model\.onnx: "):
        OnnxScore(path)
    with pytest.raises(ModelDamagedError, match="onnxruntime cannot read the model: "):
        OnnxScore(content)


def test_a_model_of_other_features_is_refused(dex: Dex, trained: Trained, tmp_path: Path) -> None:
    for name in ("metadata.json", "model.onnx"):
        content = (trained.folder / name).read_bytes().replace(b'"first_damage_share"', b'"first_damage"')
        (tmp_path / name).write_bytes(content)
    with pytest.raises(
        ModelDamagedError, match=r"was made for other features .* train it anew with `api-pokemon train`"
    ):
        open_model(dex, tmp_path)


def test_the_runtime_notes_nothing_to_tell_its_maker(tmp_path: Path) -> None:
    """Its telemetry begins with an id of the machine and a journal in the home folder."""
    code = "from api_pokemon.model.onnx_score import OnnxScore; import sys; OnnxScore(open(sys.argv[1], 'rb').read())"
    model = SHIPPED / shipped_version() / MODEL_FILE
    subprocess.run([sys.executable, "-c", code, str(model)], env={"HOME": str(tmp_path)}, cwd=ROOT, check=True)
    assert list(tmp_path.iterdir()) == []
