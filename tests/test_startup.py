"""What is checked before a start; how a process tells it is in `tests/integration`."""

from pathlib import Path

import pytest

from api_pokemon.errors import StartError
from api_pokemon.startup import read_settings


def test_an_env_file_that_is_no_text_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(StartError, match=r"/\.env cannot be read .* Make it a text in UTF-8, or remove it\.$"):
        read_settings()
