"""What befalls a version's files while it answers: no answer changes, and it is noticed."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from api_pokemon.dex import Dex
from api_pokemon.errors import ModelDamagedError, ModelError, ModelMissingError
from api_pokemon.model import ModelPredictor, open_model
from api_pokemon.model.lookup import Answer
from api_pokemon.model.registry import TABLEBASE_DIR
from api_pokemon.model.tablebase import ARRAYS

FILES = ("model.onnx", *(f"{TABLEBASE_DIR}/{name}.npy" for name in ARRAYS))


def overwrite(path: Path) -> None:
    """In place, as a bad disk or a careless copy does."""
    with path.open("r+b") as file:
        file.seek(200)
        file.write(b"\xff" * (path.stat().st_size - 200))


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(10)


WAYS: dict[str, Callable[[Path], object]] = {"overwritten": overwrite, "cut": cut, "removed": Path.unlink}


@pytest.fixture
def predictor(dex: Dex, compiled_folder: Path, tmp_path: Path) -> ModelPredictor:
    """Answers from a tablebase that may be damaged."""
    predictor = open_model(dex, shutil.copytree(compiled_folder, tmp_path / compiled_folder.name))
    predictor.load_tablebase()
    return predictor


def answers(predictor: ModelPredictor) -> list[Answer]:
    """From every part of the tablebase, and from ONNX: of learnable moves and others, against known replies and any."""
    moves = range(4)
    found: list[Answer] = []
    for form in range(0, 150, 7):
        known = predictor.tables.pair_move[predictor.tables.pair_form == form][:2].tolist()
        for asked in (known, moves):
            found += [*predictor.answer(form, asked, 24), *predictor.answer(form, asked, 24, moves)]
    return found


@pytest.mark.parametrize("way", WAYS)
def test_no_answer_changes_and_it_is_noticed(predictor: ModelPredictor, way: str) -> None:
    before = answers(predictor)
    predictor.check_files()
    for name in FILES:
        path = predictor.folder / name
        content = path.read_bytes()
        WAYS[way](path)
        with pytest.raises(ModelError, match=str(path.parent)):
            predictor.check_files()
        assert answers(predictor) == before
        path.write_bytes(content)
        predictor.check_files()


def test_a_tablebase_that_is_gone_is_noticed_where_it_answers(predictor: ModelPredictor, dex: Dex) -> None:
    shutil.rmtree(predictor.folder / TABLEBASE_DIR)
    with pytest.raises(ModelMissingError, match="holds no tablebase"):
        predictor.check_files()
    open_model(dex, predictor.folder).check_files()


def test_another_model_in_its_place_is_noticed(predictor: ModelPredictor) -> None:
    metadata = predictor.folder / "metadata.json"
    (predictor.folder / "model.onnx").write_bytes(b"another one")
    other = hashlib.sha256(b"another one").hexdigest()
    metadata.write_text(metadata.read_text().replace(predictor.metadata.model_sha256, other))
    with pytest.raises(ModelDamagedError, match="is another model than the one that answers"):
        predictor.check_files()


def test_it_is_held_in_memory_where_no_copy_can_be_kept(
    predictor: ModelPredictor, dex: Dex, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    held = open_model(dex, predictor.folder)
    held.load_tablebase()
    for name in FILES:
        overwrite(predictor.folder / name)
    assert answers(held) == answers(predictor)
