"""Which language a caller wants names in."""

from functools import lru_cache
from typing import Annotated, Final, get_args

from fastapi import Depends, Header, Response

from api_pokemon.dex import Language

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
_DEFAULT: Final = LANGUAGES[0]
_BY_TAG: Final[dict[str, Language]] = {language: language for language in LANGUAGES}
_LONGEST = 200  # a longer wish is cut: nobody speaks so many languages


def choose_language(wish: str) -> Language:
    """The best language for an ``Accept-Language`` header (RFC 9110, section 12.5.4); English if it asks for no other.

    >>> choose_language("fr-CA, en;q=0.8"), choose_language("de, *;q=0.5"), choose_language("fr;q=0, de")
    ('fr', 'en', 'en')
    """
    return _choose(wish[:_LONGEST])


@lru_cache(maxsize=256)
def _choose(wish: str) -> Language:
    weights: dict[str, float] = {}
    for item in wish.split(","):
        tag, _, parameter = item.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weights[primary] = max(weights.get(primary, 0.0), _weight(parameter))

    def weight(language: Language) -> float:
        return weights.get(language, weights.get("*", 0.0))

    best = max((*(_BY_TAG[tag] for tag in weights if tag in _BY_TAG), *LANGUAGES), key=weight)
    return best if weight(best) > 0.0 else _DEFAULT


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not name.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0.0 <= weight <= 1.0 else 0.0


def language_headers(language: Language) -> dict[str, str]:
    """What an answer with names in that language must tell its reader, and the caches on the way."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def caller_language(
    response: Response,
    accept_language: Annotated[
        str,
        Header(
            alias="Accept-Language",
            description="The language of names and reasons: `en` (default) or `fr`, with q-values.",
            examples=["fr"],
        ),
    ] = "",
) -> Language:
    language = choose_language(accept_language)
    response.headers.update(language_headers(language))
    return language


CallerLanguage = Annotated[Language, Depends(caller_language)]
