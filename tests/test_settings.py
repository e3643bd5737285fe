from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api_pokemon.settings import Settings


def settings(**variables: Any) -> Settings:
    return Settings(_env_file=None, **variables)


@pytest.mark.parametrize(
    ("value", "keys"),
    [("", ()), ("a", ("a",)), ("a,b", ("a", "b")), (" a , ,b,\n", ("a", "b")), (("a", "b"), ("a", "b"))],
)
def test_keys_are_a_list_with_commas(value: object, keys: tuple[str, ...]) -> None:
    assert settings(predict_keys=value).predict_keys == keys
    assert settings(admin_keys=value).admin_keys == keys


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_PORT", "9000")
    monkeypatch.setenv("API_POKEMON_ADMIN_KEYS", "a,b")
    monkeypatch.setenv("API_POKEMON_ANONYMOUS_PREDICT", "true")
    read = settings()
    assert (read.port, read.admin_keys, read.anonymous_predict) == (9000, ("a", "b"), True)


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_POKEMON_PREDICT_KEYS=a, b\nAPI_POKEMON_COMMIT=0123abc\nOTHER=1\n")
    read = Settings(_env_file=tmp_path / ".env")
    assert (read.predict_keys, read.commit) == (("a", "b"), "0123abc")


@pytest.mark.parametrize("port", [0, 65536, "x"])
def test_a_port_is_one(port: object) -> None:
    with pytest.raises(ValidationError, match="port"):
        settings(port=port)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().port = 1  # type: ignore[misc]


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
