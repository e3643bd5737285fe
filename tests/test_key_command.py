import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api_pokemon.cli import app
from api_pokemon.errors import StartError
from api_pokemon.routes.admin_key import AdminKeyFile


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.mark.parametrize(
    ("options", "setting"), [([], "API_POKEMON_PREDICT_KEYS"), (["--admin"], "API_POKEMON_ADMIN_KEYS")]
)
def test_a_new_key_comes_with_its_hash_and_where_that_goes(options: list[str], setting: str) -> None:
    key_line, hash_line = CliRunner().invoke(app, ["key", "new", *options]).output.splitlines()
    assert setting in hash_line
    assert hash_line.split()[-1] == sha256(key_line.split()[-1])


def test_the_hash_of_a_key_from_standard_input() -> None:
    assert CliRunner().invoke(app, ["key", "hash"], input="secret\n").output == sha256("secret") + "\n"


def test_the_admin_key_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    key = AdminKeyFile(tmp_path / "admin.key").read_or_make()
    assert CliRunner().invoke(app, ["key", "admin"]).output == key + "\n"


def test_a_key_is_made_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path / "new"))

    def run(*words: str) -> str:
        ran = CliRunner().invoke(app, ["key", *words])
        assert ran.exit_code == 0, ran.output
        return ran.output

    key = run("add", "shop").strip()
    run("add", "prometheus", "--role", "metrics")
    shop, prometheus = run("list").splitlines()
    assert shop.split()[:4] == ["shop", "predict", sha256(key)[:12], "made"]
    assert prometheus.split()[:2] == ["prometheus", "metrics"]
    assert key not in shop
    assert run("revoke", "shop") == "shop (predict) is revoked.\n"
    assert "  revoked " in run("list").splitlines()[0]


def test_the_admin_key_can_be_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    old = AdminKeyFile(tmp_path / "admin.key").read_or_make()
    new = CliRunner().invoke(app, ["key", "admin", "--renew"]).output.strip()
    assert new == AdminKeyFile(tmp_path / "admin.key").read_or_make() != old


def test_where_there_is_no_admin_key_the_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(app, ["key", "admin"])
    assert isinstance(result.exception, StartError)
    assert str(tmp_path / "admin.key") in str(result.exception)
