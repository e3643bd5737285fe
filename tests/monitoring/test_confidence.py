from api_pokemon.monitoring.confidence import ConfidenceWindow


def test_an_empty_window_has_no_mean() -> None:
    assert ConfidenceWindow().mean(now=0.0) is None


def test_a_confidence_counts_for_sixty_seconds_and_not_one_tick_more() -> None:
    window = ConfidenceWindow()
    window.add(0.9, now=100.0)
    window.add(0.5, now=130.0)
    assert window.mean(now=159.999) == 0.7
    assert window.mean(now=160.0) == 0.5
    assert window.mean(now=189.999) == 0.5
    assert window.mean(now=190.0) is None


def test_only_the_last_thousand_count() -> None:
    window = ConfidenceWindow()
    for _ in range(500):
        window.add(0.5, now=0.0)
    for _ in range(1000):
        window.add(0.75, now=1.0)
    assert window.mean(now=2.0) == 0.75


def test_a_window_that_ran_empty_fills_again() -> None:
    window = ConfidenceWindow()
    window.add(0.6, now=0.0)
    assert window.mean(now=100.0) is None
    window.add(0.8, now=101.0)
    assert window.mean(now=102.0) == 0.8
