"""Write the baseline of the shipped version anew, from its rows: ``python -m tests.model.shipped_baseline``."""

from api_pokemon.model.baseline import baseline_of
from api_pokemon.model.registry import BASELINE_FILE, SHIPPED, shipped_version
from api_pokemon.model.sample import load_sample

if __name__ == "__main__":
    folder = SHIPPED / shipped_version()
    (folder / BASELINE_FILE).write_bytes(baseline_of(load_sample(folder)).encode())
