from api_pokemon.cli import main

main()
