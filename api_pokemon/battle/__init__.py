"""A duel as numbers (stats, damage, how soon one knocks the other out), and the real simulator that is the truth."""
