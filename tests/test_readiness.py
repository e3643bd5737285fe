from api_pokemon.readiness import Readiness


def test_who_has_not_asked_for_long_is_not_waited_for() -> None:
    now = [100.0]
    readiness = Readiness(lambda: now[0])
    assert not readiness.is_watched
    assert readiness.ask()
    now[0] = 109.9
    assert readiness.is_watched
    now[0] = 110.0
    assert not readiness.is_watched
    readiness.stop()
    assert not readiness.ask()
