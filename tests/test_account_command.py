"""The balance as people and programs read it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from api_pokemon.account_command import account
from api_pokemon.errors import UnreachableError
from api_pokemon.stores import log_of, outboxes_of
from api_pokemon.worker import create_worker
from tests.running import Running
from tests.test_worker import accept, settings_for, wait_for


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def logged(data_dir: Path, number: int) -> None:
    settings = settings_for(data_dir)
    accept(settings, number)
    with Running(create_worker(settings)):
        wait_for(lambda: outboxes_of(settings).states()[0].pending == 0)


def test_a_balance(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged(data_dir, 1234)
    accept(settings_for(data_dir), 2)
    account()
    printed = capsys.readouterr().out
    account(as_json=True)
    told = json.loads(capsys.readouterr().out)
    (balance,) = told["outboxes"]
    assert f"{balance['writer']}     1,236   1,234        2            0" in printed
    assert "It balances." in printed
    assert told["unreadable"] == []
    assert {name: balance[name] for name in ("accepted", "logged", "pending", "unaccounted")} == {
        "accepted": 1236,
        "logged": 1234,
        "pending": 2,
        "unaccounted": 0,
    }


def test_a_loss_is_told_and_fails(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logged(data_dir, 5)
    with log_of(settings_for(data_dir)).engine.begin() as connection:
        connection.execute(text("DELETE FROM predictions WHERE sequence = 2"))
    with pytest.raises(SystemExit, match="1"):
        account()
    assert "It does not balance: 1 lost, 0 counted twice." in capsys.readouterr().out


def test_an_outbox_that_is_gone_is_told_by_what_the_log_has_of_it(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(data_dir, 5)
    with log_of(settings_for(data_dir)).engine.begin() as connection:
        connection.execute(text("DELETE FROM predictions WHERE sequence = 2"))
    for path in (data_dir / "outbox").iterdir():
        path.unlink()
    with pytest.raises(SystemExit, match="1"):
        account(as_json=True)
    (balance,) = json.loads(capsys.readouterr().out)["outboxes"]
    assert (balance["accepted"], balance["logged"], balance["unaccounted"]) == (5, 4, 1)


def test_an_outbox_that_cannot_be_read_is_named(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accept(settings_for(data_dir), 3)
    (path,) = (data_dir / "outbox").glob("*.sqlite")
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(SystemExit, match="1"):
        account()
    printed = capsys.readouterr().out
    assert f"{path} cannot be read" in printed
    assert "It cannot be told whether it balances" in printed


def test_before_the_first_start_there_is_nothing_to_tell(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account()
    assert "nothing was ever accepted" in capsys.readouterr().out


def test_what_cannot_be_read_is_told(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POKEMON_LOG_URL", "postgresql://someone:secret@127.0.0.1:1/log")
    accept(settings_for(data_dir), 1)
    with pytest.raises(UnreachableError, match="no balance") as caught:
        account()
    assert "secret" not in str(caught.value)
