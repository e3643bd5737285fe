"""Names as people type them: one key for all spellings, and the nearest ones for those that match nothing."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from api_pokemon.errors import UnknownNameError

T = TypeVar("T")

LONGEST_NAME = 64  # no name of the game has half of it; what is longer is not looked at, so that nonsense costs nothing
_SUGGESTIONS = 3
_CANDIDATES = 4 * _SUGGESTIONS  # spellings; a thing has up to 3 (English, French, slug), and is suggested once
_SPELLED_OUT = str.maketrans({"œ": "oe", "æ": "ae", "♀": "f", "♂": "m"})


def normalise(name: str) -> str:
    """The key under which every spelling of a name is found: letters and digits, without case and accents.

    >>> [normalise(name) for name in ("Noeunœuf", "Mr. Mime", "POING-ÉCLAIR", "Massd’Os", "Nidoran♀")]
    ['noeunoeuf', 'mrmime', 'poingeclair', 'massdos', 'nidoranf']
    """
    if not name.isascii():
        name = unicodedata.normalize("NFKD", name)
    return "".join(filter(str.isalnum, name.casefold().translate(_SPELLED_OUT)))


class NameIndex(Generic[T]):
    """Finds a thing by any of its names.

    Parameters
    ----------
    kind
        What an error calls such a thing.
    names
        Of each thing, every spelling that finds it.

    Raises
    ------
    ValueError
        Two things share a name: neither could be found by it.
    """

    def __init__(self, kind: str, names: Mapping[T, Iterable[str]]) -> None:
        self._kind = kind
        self._by_spelling: dict[str, T] = {}
        self._by_key: dict[str, T] = {}
        self._shown: dict[str, str] = {}
        for thing, spellings in names.items():
            for spelling in spellings:
                self._add(thing, spelling)

    def _add(self, thing: T, spelling: str) -> None:
        key = normalise(spelling)
        if self._by_key.setdefault(key, thing) != thing:
            raise ValueError(f"{spelling!r} names two things of the kind {self._kind}.")
        self._shown.setdefault(key, spelling)
        self._by_spelling[spelling] = thing
        self._by_spelling[spelling.lower()] = thing

    def find(self, name: str) -> T:
        """The thing of that name.

        Raises
        ------
        UnknownNameError
            Nothing is called so; the error holds the 3 nearest names, or none where there is nothing to compare: no
            letter or digit, or more than 64 characters.
        """
        found = self._by_spelling.get(name)  # a tenth of what normalising costs
        if found is None and len(name) <= LONGEST_NAME:
            found = self._by_key.get(normalise(name))
        if found is None:
            if len(name) > LONGEST_NAME:
                raise UnknownNameError(self._kind, name[:LONGEST_NAME] + "…", ())
            raise UnknownNameError(self._kind, name, self._nearest(normalise(name)))
        return found

    def search(self, text: str) -> set[T]:
        """All things with a name that contains the text, in any spelling; everything, if the text is blank."""
        key = normalise(text[:LONGEST_NAME])
        if not key and text.strip():
            return set()
        return {thing for name, thing in self._by_key.items() if key in name}

    def _nearest(self, key: str) -> list[str]:
        if not key:
            return []
        from rapidfuzz import fuzz, process  # here, because it takes 20 ms to import, and most programs never need it
        from rapidfuzz.distance import Levenshtein

        names = self._by_key.keys()
        alike = process.extract(key, names, scorer=fuzz.ratio, limit=_CANDIDATES, score_cutoff=1)
        # What shares no character with any name is equally unlike them all; the fewest edits still tell them apart.
        edited = process.extract(key, names, scorer=Levenshtein.distance, limit=_CANDIDATES)
        nearest: dict[T, str] = {}
        for name, _, _ in (*alike, *edited):
            nearest.setdefault(self._by_key[name], self._shown[name])
        return list(nearest.values())[:_SUGGESTIONS]
