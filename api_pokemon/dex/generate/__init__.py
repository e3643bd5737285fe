"""Makes ``dex.json`` from the npm packages: ``python -m api_pokemon.dex.generate``."""
