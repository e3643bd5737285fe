"""Makes ``dex.json`` from the npm packages.

::

    npm ci --prefix api_pokemon/battle/showdown --omit=optional --ignore-scripts
    python -m api_pokemon.dex.generate
"""
