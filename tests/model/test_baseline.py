"""What a version is measured on, wherever it comes from."""

from pathlib import Path

import pytest

from api_pokemon.model.baseline import find_baseline
from api_pokemon.model.monitored_rows import MONITORED_FIELDS
from api_pokemon.model.registry import BASELINE_FILE, SHIPPED, shipped_version


def test_what_is_true_or_false_is_counted_and_what_is_a_number_measured() -> None:
    kinds = {field.name: (field.kind, field.group) for field in MONITORED_FIELDS}
    assert len(kinds) == len(MONITORED_FIELDS) == 27
    assert kinds["attacker"] == kinds["language"] == ("category", "request")
    assert kinds["speed_difference"] == kinds["candidate_moves"] == ("number", "request")
    assert kinds["stab"] == kinds["moves_first"] == ("category", "choice")
    assert kinds["win_probability"] == kinds["hits_to_knock_out"] == ("number", "choice")


def test_the_shipped_version_brings_its_own(tmp_path: Path) -> None:
    found = find_baseline(tmp_path, shipped_version())
    assert found is not None
    assert found.profile.rows == 10_000
    assert set(found.layout.specs) == set(MONITORED_FIELDS)
    missing = dict(zip((spec.name for spec in found.layout.specs), found.profile.missing.tolist(), strict=True))
    assert {name: count for name, count in missing.items() if count} == {
        "hits_to_knock_out": 327,
        "opponent_hits_to_knock_out": 192,
    }


def test_an_installed_one_is_found_and_a_damaged_one_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shipped = (SHIPPED / shipped_version() / BASELINE_FILE).read_bytes()
    for version, body in {"mine": shipped, "torn": shipped[:1000]}.items():
        (tmp_path / version).mkdir()
        (tmp_path / version / BASELINE_FILE).write_bytes(body)
    found = find_baseline(tmp_path, "mine")
    assert found is not None
    assert found.encode() == shipped
    assert caplog.text == ""
    assert find_baseline(tmp_path, "torn") is None
    assert f"{tmp_path / 'torn' / BASELINE_FILE} cannot be read" in caplog.text


@pytest.mark.parametrize("version", ["unknown", "", "../mine", "/mine", "a\0b", "x" * 300])
def test_what_is_not_here_is_not_found(tmp_path: Path, version: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / BASELINE_FILE).write_bytes((SHIPPED / shipped_version() / BASELINE_FILE).read_bytes())
    assert find_baseline(tmp_path / "models", version) is None
