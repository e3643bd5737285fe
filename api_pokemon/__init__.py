"""Predicts the best move in a Pokémon Let's Go duel, and is watched end to end."""

__version__ = "0.1.0"
