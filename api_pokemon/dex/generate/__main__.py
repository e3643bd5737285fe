"""Writes ``dex.json`` anew, from the npm packages that are locked in ``api_pokemon/battle/showdown``."""

from pathlib import Path

from api_pokemon.dex.generate.document import document
from api_pokemon.dex.generate.sources import export

if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("dex.json").write_text(document(export()), encoding="utf-8")
