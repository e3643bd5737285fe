import pytest

from api_pokemon.routes.languages import choose_language


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("FR-be", "fr"),
        ("en", "en"),
        ("fr, en", "fr"),
        ("en, fr", "en"),
        ("en;q=0.8, fr", "fr"),
        ("en;q=0.8, fr;q=0.9", "fr"),
        ("en-GB, en;q=0.9, fr;q=0.95", "en"),
        ("fr ; q=0.5, en ; q=0.4", "fr"),
        ("de, ja;q=0.9", "en"),
        ("de, *;q=0.1", "en"),
        ("*", "en"),
        ("en;q=0, *", "fr"),
        ("fr;q=0", "en"),
        ("en;q=0, fr;q=0", "en"),
        ("fr;q=2, en;q=0.1", "en"),
        ("fr;q=nan, en;q=0.1", "en"),
        ("fr;q=-1", "en"),
        ("fr;q=", "en"),
        ("fr;level=1", "en"),
        (",,;;==,", "en"),
        ("de," * 100 + "fr", "en"),
    ],
)
def test_the_language_that_is_wished_for(wish: str, language: str) -> None:
    assert choose_language(wish) == language
