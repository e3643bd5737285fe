"""Write the shipped version's monitored rows and their baseline anew: ``python -m tests.model.shipped_baseline``."""

from api_pokemon.dex import load_dex
from api_pokemon.model import open_model
from api_pokemon.model.baseline import SEED
from api_pokemon.model.registry import SHIPPED, shipped_version
from api_pokemon.model.sample import save_sample

if __name__ == "__main__":
    dex, folder = load_dex(), SHIPPED / shipped_version()
    save_sample(dex, open_model(dex, folder), SEED, folder, lambda done, total: None)
