"""The look after the model's files, in the application that answers from them."""

import logging
import shutil
from functools import partial
from pathlib import Path

import pytest

from api_pokemon import main
from api_pokemon.main import create_app
from api_pokemon.model.registry import SHIPPED, shipped_version
from api_pokemon.model_files import ModelFiles
from api_pokemon.settings import Settings
from tests.running import Running
from tests.servers import wait_until

VERSION = shipped_version()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED / VERSION, tmp_path / "models" / VERSION) / "model.onnx"


def test_damage_is_told_once_and_its_repair_too(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(main, "ModelFiles", partial(ModelFiles, look_seconds=0.02))
    settings = Settings(data_dir=tmp_path, tablebase=False, _env_file=None)  # type: ignore[call-arg]
    content = model.read_bytes()
    with caplog.at_level(logging.INFO, "api_pokemon.model_files"), Running(create_app(settings)) as service:

        def shows(sound: int) -> bool:
            return f'model_files_sound{{model_version="{VERSION}"}} {sound}.0' in service.get("/metrics").text

        assert shows(1)
        model.write_bytes(content[:-1])
        wait_until(lambda: shows(0), "the damage shows")
        assert service.get("/health/ready").status_code == 200
        model.write_bytes(content)
        wait_until(lambda: shows(1), "the repair shows")
    levels = [record.levelname for record in caplog.records if record.name == "api_pokemon.model_files"]
    assert levels == ["ERROR", "INFO"]
    assert f"{model} is not the model that its metadata tells of" in caplog.text
