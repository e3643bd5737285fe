"""Version folders: what is said of a missing or damaged one, and how the shipped one is installed."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api_pokemon.errors import ModelDamagedError, ModelError, ModelMissingError, StartError
from api_pokemon.model import ModelMetadata, install_version, registry
from api_pokemon.model.registry import file_sha256, load_metadata, shipped_version
from tests.model.conftest import Trained


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions that ship with the package."""
    folder = tmp_path / "shipped"
    for version in ("20260101-aaaaaaaa", "20260102-00000000"):
        (folder / version).mkdir(parents=True)
        model = folder / version / "model.onnx"
        model.write_text(f"the model {version}")
        ModelMetadata(version, "", "", "", 0, file_sha256(model), "", (), {}).save(folder / version)
    monkeypatch.setattr(registry, "SHIPPED", folder)
    return folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_metadata_are_read_as_they_were_written(trained: Trained, tmp_path: Path) -> None:
    metadata = load_metadata(trained.folder)
    (tmp_path / "model.onnx").write_bytes(trained.onnx)
    metadata.save(tmp_path)
    assert load_metadata(tmp_path) == metadata
    assert isinstance(metadata, ModelMetadata)
    assert file_sha256(tmp_path / "metadata.json") == file_sha256(trained.folder / "metadata.json")


def rewrite(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    record = json.loads((folder / "metadata.json").read_text())
    change(record)
    (folder / "metadata.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (lambda f: (f / "model.onnx").unlink(), ModelMissingError, r"model\.onnx is missing"),
        (lambda f: (f / "metadata.json").unlink(), ModelMissingError, r"metadata\.json is missing"),
        (lambda f: (f / "metadata.json").write_text("{"), ModelDamagedError, r"metadata\.json is damaged \(Expecting"),
        (lambda f: (f / "metadata.json").write_text("[1]"), ModelDamagedError, r"metadata\.json is damaged"),
        (lambda f: (f / "metadata.json").write_bytes(b"\xff"), ModelDamagedError, r"metadata\.json is damaged"),
        (lambda f: rewrite(f, lambda r: r.pop("features")), ModelDamagedError, r"metadata\.json is damaged"),
        (lambda f: rewrite(f, lambda r: r.pop("version")), ModelDamagedError, r"metadata\.json is damaged .*'version'"),
        (lambda f: rewrite(f, lambda r: r.update(colour="red")), ModelDamagedError, r"metadata\.json is damaged"),
        (lambda f: (f / "model.onnx").write_bytes(b""), ModelDamagedError, r"model\.onnx is not the model"),
        (lambda f: (f / "model.onnx").write_bytes(b"another"), ModelDamagedError, r"model\.onnx is not the model"),
    ],
)
def test_a_version_that_is_not_whole_names_the_file_and_the_remedy(
    trained: Trained, tmp_path: Path, harm: Callable[[Path], object], error: type[ModelError], message: str
) -> None:
    for path in trained.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    harm(tmp_path)
    with pytest.raises(error, match=rf"{message}.*; train or copy that version anew\."):
        load_metadata(tmp_path)


def test_the_remedy_is_one_that_works(shipped: Path, tmp_path: Path) -> None:
    folder = install_version(tmp_path / "models")
    (folder / "model.onnx").write_text("changed here")
    with pytest.raises(ModelDamagedError, match=rf"; remove {folder} to install the version anew\."):
        load_metadata(folder)
    (shipped / "20260102-00000000" / "model.onnx").write_text("changed there")
    with pytest.raises(ModelDamagedError, match=r"; install the package anew\."):
        load_metadata(shipped / "20260102-00000000")


def test_files_that_cannot_be_read_are_named(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install_version(tmp_path / "models")

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(registry, "file_sha256", refuse)
    with pytest.raises(ModelDamagedError, match=rf"{folder}/model\.onnx cannot be read \(Permission denied\); remove"):
        load_metadata(folder)


def test_the_newest_version_is_the_shipped_one(shipped: Path) -> None:
    assert shipped_version() == "20260102-00000000"


def test_a_package_without_a_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SHIPPED", tmp_path / "nothing")
    with pytest.raises(
        ModelMissingError, match="holds no model; install it anew, or make one with `api-pokemon train`"
    ):
        install_version(tmp_path / "models")


def test_the_shipped_version_is_copied_once(shipped: Path, tmp_path: Path) -> None:
    models_dir = tmp_path / "data" / "models"
    folder = install_version(models_dir)
    assert folder == models_dir / "20260102-00000000"
    assert content(folder) == content(shipped / "20260102-00000000")
    (folder / "model.onnx").write_text("changed here")
    assert install_version(models_dir) == folder
    assert content(folder)["model.onnx"] == "changed here"
    assert list(models_dir.iterdir()) == [folder]


def test_a_named_version_is_taken(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert install_version(tmp_path / "models", "mine") == tmp_path / "models" / "mine"
    older = install_version(tmp_path / "models", "20260101-aaaaaaaa")
    assert content(older) == content(shipped / "20260101-aaaaaaaa")


def test_a_version_that_is_nowhere_is_named_with_the_remedy(shipped: Path, tmp_path: Path) -> None:
    message = "There is no model version '1999' in .*; unset API_POKEMON_MODEL_VERSION to use the shipped one"
    with pytest.raises(ModelMissingError, match=message):
        install_version(tmp_path / "models", "1999")


@pytest.mark.parametrize("version", ["..", ".install-x", "../models/mine", "/etc", "mine/", "a\\b"])
def test_a_version_is_the_name_of_a_folder(shipped: Path, tmp_path: Path, version: str) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    with pytest.raises(StartError, match=r"^API_POKEMON_MODEL_VERSION is .*; it must be the name of a folder in "):
        install_version(tmp_path / "models", version)


def test_a_broken_package_is_not_copied(shipped: Path, tmp_path: Path) -> None:
    (shipped / "20260102-00000000" / "model.onnx").write_text("half a mod")
    with pytest.raises(ModelDamagedError, match=r"is not the model .*; install the package anew\."):
        install_version(tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_file_in_the_folder_s_place_is_named(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    message = rf"{tmp_path}/models cannot take a version \(File exists\)\. .* set API_POKEMON_DATA_DIR to another"
    with pytest.raises(StartError, match=message):
        install_version(tmp_path / "models")


def test_a_full_disk_is_told_and_leaves_nothing_behind(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(source: str, target: str) -> None:
        Path(target).write_text("half")
        raise OSError(28, "No space left on device", target)

    copy = registry.shutil.copytree
    monkeypatch.setattr(registry.shutil, "copytree", lambda *a, **k: copy(*a, **k, copy_function=fill))
    with pytest.raises(StartError, match=r"cannot take a version \(.*No space left on device.*API_POKEMON_DATA_DIR"):
        install_version(tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_installations_at_once_agree_and_leave_nothing_behind(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every thread has copied before one of them is allowed to put its copy in place."""
    threads = 8
    everyone = threading.Barrier(threads, timeout=60)
    copy = registry.shutil.copytree

    def copy_and_wait(*arguments: object, **options: object) -> None:
        copy(*arguments, **options)
        everyone.wait()

    monkeypatch.setattr(registry.shutil, "copytree", copy_and_wait)
    models_dir = tmp_path / "models"
    with ThreadPoolExecutor(threads) as pool:
        folders = set(pool.map(lambda _: install_version(models_dir), range(threads)))
    assert folders == {models_dir / "20260102-00000000"}
    assert list(models_dir.iterdir()) == list(folders)
    assert content(folders.pop()) == content(shipped / "20260102-00000000")
