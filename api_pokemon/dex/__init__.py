"""The game's facts: forms, moves, learnsets and the type chart of Let's Go Pikachu and Eevee."""

from api_pokemon.dex.dex import Dex
from api_pokemon.dex.facts import BaseStats, Boost, Category, Form, Gender, Language, Matchup, Move, Secondary, Stat
from api_pokemon.dex.load import load_dex

__all__ = [
    "BaseStats",
    "Boost",
    "Category",
    "Dex",
    "Form",
    "Gender",
    "Language",
    "Matchup",
    "Move",
    "Secondary",
    "Stat",
    "load_dex",
]
