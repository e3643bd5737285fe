import pytest

from api_pokemon.errors import FaultLevelError, ImpossibleFaultError, UnknownFaultError
from api_pokemon.faults import Fault, Faults, FaultStatus, Level, NoEffect
from tests.clocks import Clock
from tests.servers import wait_until

NOISE = Fault("noise", "There is noise.", Level(0.5, 0.1, 1.0, "share"))
DARK = Fault("dark", "It is dark.")


class Lamp:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.is_broken = False

    def begin(self, level: float, seconds: float) -> None:
        if self.is_broken:
            raise ImpossibleFaultError("It is broken.")
        self.done.append((level, seconds))

    def end(self) -> None:
        self.done.append("end")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lamp() -> Lamp:
    return Lamp()


@pytest.fixture
def faults(lamp: Lamp, clock: Clock) -> Faults:
    return Faults({NOISE: NoEffect(), DARK: lamp}, clock)


def test_at_first_nothing_is_on(faults: Faults) -> None:
    assert faults.level(NOISE) is None
    assert faults.statuses() == [
        FaultStatus("noise", "There is noise.", "share"),
        FaultStatus("dark", "It is dark.", ""),
    ]


def test_a_fault_is_on_until_its_time_is_over(faults: Faults, clock: Clock) -> None:
    with faults.lifted_at_the_end():
        assert faults.cause("noise", seconds=60) == FaultStatus("noise", "There is noise.", "share", 0.5, 60.0)
        clock.now = 59.9
        assert faults.level(NOISE) == 0.5
        clock.now = 60.0
        assert faults.level(NOISE) is None
        assert faults.statuses()[0].remaining_seconds is None


def test_it_goes_on_when_it_is_caused_again(faults: Faults, clock: Clock, lamp: Lamp) -> None:
    with faults.lifted_at_the_end():
        faults.cause("dark", seconds=60)
        clock.now = 50.0
        assert faults.cause("dark", seconds=30).remaining_seconds == 30
        clock.now = 79.0
        assert faults.level(DARK) == 1.0
    assert lamp.done == [(1.0, 60), (1.0, 30), "end"]


def test_its_effect_ends_by_itself(lamp: Lamp) -> None:
    faults = Faults({DARK: lamp})
    faults.cause("dark", seconds=0.01)
    wait_until(lambda: lamp.done[-1] == "end", "the fault is over")
    assert faults.statuses() == [FaultStatus("dark", "It is dark.", "")]


def test_it_can_be_ended_before(faults: Faults, lamp: Lamp) -> None:
    faults.cause("dark", seconds=60)
    for _ in range(2):
        assert faults.lift("dark") == FaultStatus("dark", "It is dark.", "")
    assert lamp.done == [(1.0, 60), "end"]
    assert faults.level(DARK) is None


def test_what_cannot_go_on_is_ended(faults: Faults, lamp: Lamp) -> None:
    faults.cause("dark", seconds=60)
    lamp.is_broken = True
    with pytest.raises(ImpossibleFaultError):
        faults.cause("dark", seconds=60)
    assert lamp.done == [(1.0, 60), "end"]
    assert faults.level(DARK) is None


@pytest.mark.parametrize("level", [0.0, 0.05, 1.01, float("nan")])
def test_a_level_has_its_bounds(faults: Faults, level: float) -> None:
    with pytest.raises(FaultLevelError, match=r"must be from 0\.1 to 1 share"):
        faults.cause("noise", seconds=60, level=level)


def test_what_is_on_or_off_has_no_level(faults: Faults) -> None:
    with pytest.raises(FaultLevelError, match="dark is on or off; leave out the level"):
        faults.cause("dark", seconds=60, level=0.5)


def test_an_unknown_fault_is_told_with_those_that_exist(faults: Faults) -> None:
    for act in (lambda: faults.cause("light", seconds=1), lambda: faults.lift("light")):
        with pytest.raises(UnknownFaultError, match="There is no fault 'light'; there are noise, dark"):
            act()
