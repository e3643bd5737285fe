"""How names are written in ``dex.json``."""

import re


def straight(name: str) -> str:
    """The name with straight apostrophes: one kind throughout, and the one on keyboards."""
    return name.replace("’", "'")


def slug(name: str) -> str:
    """PokéAPI's spelling of an English name.

    >>> slug("Mr. Mime"), slug("Farfetch'd"), slug("U-turn"), slug("Nidoran-F")
    ('mr-mime', 'farfetchd', 'u-turn', 'nidoran-f')
    """
    return re.sub(r"[ -]+", "-", re.sub(r"[.']", "", name.lower()))
