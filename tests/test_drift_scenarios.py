"""Hours of the client's scenarios, answered by the shipped model at once; predictions bear the times of hours."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import msgspec
import pytest

from api_pokemon.dex import load_dex
from api_pokemon.model import MoveRanker, install_version, open_model
from api_pokemon.model.baseline import find_baseline
from api_pokemon.model.registry import shipped_version
from api_pokemon.monitoring import Prediction
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.drift_checking import DriftCheck, DriftChecker
from api_pokemon.monitoring.drift_references import DriftReferences
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.routes.answers import Answers
from api_pokemon.routes.best_moves import BestMoves
from api_pokemon.routes.schemas import Duel
from api_pokemon.traffic.players import DRIFTS
from api_pokemon.traffic.scenarios import SCENARIOS
from tests.monitoring.drift_log import write
from tests.monitoring.logged_events import START_SECONDS, id_at

HOUR = 3600
ROWS = 500
LEARNT_HOURS = 6
CHANGED = {
    "types": {"attacker", "attacker_type", "defender", "defender_type"},
    "strength": {"special_attack_difference", "special_defense_difference"},
    "newcomers": {"attacker"},
    "movesets": {"candidate_moves"},
}
"""What each scenario changes most, at least."""


class Hours:
    """A log of one hour after the other, each of so many predictions."""

    def __init__(self, folder: Path) -> None:
        self.log = PredictionLog(connect(f"sqlite:///{folder}/log.sqlite"))
        self.log.migrate()
        self._dex = load_dex()
        predictor = open_model(self._dex, install_version(folder, ""))
        self._best_moves = BestMoves(MoveRanker(self._dex, predictor), predictor.version, Answers(self._dex))
        self._writer = ProfileWriter(lambda version: find_baseline(folder, version))
        self._checker = DriftChecker(self.log.engine, HOUR)
        self._played = 0

    @property
    def now(self) -> float:
        """The end of the last hour."""
        return (START_SECONDS // HOUR + 1 + self._played) * HOUR

    def play(self, scenario: str) -> DriftCheck:
        """Play for an hour, and check."""
        calls = islice(SCENARIOS[scenario](self._dex, Random(self._played)), ROWS)
        duels = [(Duel.model_validate_json(msgspec.json.encode(call.body())), call.language) for call in calls]
        made = [self._best_moves.predict(duel, language)[0] for duel, language in duels]
        logged = [self._at(prediction, number) for number, prediction in enumerate(made)]
        write(self.log, logged, self._writer, first=self._first())
        self._played += 1
        check = self._checker.check(shipped_version(), self.now)
        assert check is not None
        assert check.rows == ROWS
        return check

    def learn(self) -> None:
        """Declare normal what was played so far."""
        store = ProfileStore(self.log.engine)
        layout = store.layout(shipped_version())
        assert layout is not None
        profile = store.window(shipped_version(), layout, 0, self.now)
        DriftReferences(self.log.engine).declare(shipped_version(), "window", profile, declared_by="ash")

    def _at(self, prediction: Prediction, number: int) -> Prediction:
        seconds = self.now - START_SECONDS + HOUR * number / ROWS
        return msgspec.structs.replace(prediction, prediction_id=id_at(seconds, self._first() + number))

    def _first(self) -> int:
        return self._played * ROWS + 1


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hours]:
    """Players have played for some hours, and that is normal."""
    hours = Hours(tmp_path_factory.mktemp("hours"))
    for _ in range(LEARNT_HOURS):
        hours.play("players")
    hours.learn()
    yield hours
    hours.log.engine.dispose()


def detected(check: DriftCheck) -> bool:
    return any(group.is_detected for group in check.groups)


def test_players_as_they_are_raise_nothing(hours: Hours) -> None:
    assert [hours.play("players").verdict for _ in range(4)] == ["no_drift"] * 4


def test_no_field_is_so_noisy_that_it_could_never_drift(hours: Hours) -> None:
    check = hours.play("players")
    assert {field.name: field.noise for field in check.fields if field.noise >= 0.4} == {}


@pytest.mark.parametrize("name", DRIFTS)
def test_each_drift_is_detected_within_two_windows_and_over_after_one(hours: Hours, name: str) -> None:
    assert hours.play("players").verdict == "no_drift"
    first, second = hours.play(f"drift-{name}"), hours.play(f"drift-{name}")
    assert [check.verdict for check in (first, second)] == ["drift", "drift"]
    assert [detected(check) for check in (first, second)] == [False, True]
    assert CHANGED[name] <= {field for group in second.groups for field in group.drifted}
    over = hours.play("players")
    assert (over.verdict, detected(over)) == ("no_drift", False)
