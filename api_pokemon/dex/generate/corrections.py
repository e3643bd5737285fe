"""What the npm packages do not know, or have wrong."""

from typing import NamedTuple


class Forme(NamedTuple):
    """PokéAPI's id of a forme, and its French name."""

    id: int
    name_fr: str


TYPES = (  # in the order of the game, which is PokéAPI's too
    "Normal", "Fighting", "Flying", "Poison", "Ground", "Rock", "Bug", "Ghost", "Steel",
    "Fire", "Water", "Grass", "Electric", "Psychic", "Ice", "Dragon", "Dark", "Fairy",
)  # fmt: skip

TYPES_FR = {"Bug": "Insecte", "Electric": "Électrik", "Fairy": "Fée"}

SPECIES_EN = {"Nidoran-F": "Nidoran♀", "Nidoran-M": "Nidoran♂"}
SPECIES_FR = {"Exeggcute": "Noeunoeuf", "Vileplume": "Rafflesia"}

MOVES_FR = {
    "Absorb": "Vole-Vie",
    "Mega Drain": "Méga-Sangsue",
    "Bone Club": "Massd'Os",
    "Egg Bomb": "Bombe Œuf",
    "Hyper Fang": "Croc de Mort",
    "Karate Chop": "Poing Karaté",
    "Sonic Boom": "Sonic Boom",
    "Twineedle": "Double Dard",
    "Blizzard": "Blizzard",
    "Skull Bash": "Coud'Krâne",
    "Body Slam": "Plaquage",
    "Bubble Beam": "Bulles d'O",
    "Double-Edge": "Damoclès",
    "Dragon Pulse": "Draco-Choc",
    "Fire Punch": "Poing Feu",
    "Fire Spin": "Danse Flammes",
    "Fury Swipes": "Combo-Griffe",
    "Ice Punch": "Poing Glace",
    "Petal Dance": "Danse Fleurs",
    "Quick Attack": "Vive-Attaque",
    "Razor Leaf": "Tranch'Herbe",
    "Sludge Bomb": "Bombe Beurk",
    "Smog": "Purédpois",
    "Struggle": "Lutte",
    "Swords Dance": "Danse Lames",
    "Thunder Punch": "Poing Éclair",
    "Thunder Wave": "Cage Éclair",
    "Vise Grip": "Force Poigne",
    "Wing Attack": "Cru-Ailes",
    "X-Scissor": "Plaie Croix",
}

MOVE_ALIASES = {"Vise Grip": ["Vice Grip"]}  # as this game itself still spelled it

FORMES = {
    "Raichu-Alola": Forme(10100, "Raichu d'Alola"),
    "Exeggutor-Alola": Forme(10114, "Noadkoko d'Alola"),
    "Marowak-Alola": Forme(10115, "Ossatueur d'Alola"),
    "Venusaur-Mega": Forme(10033, "Méga-Florizarre"),
    "Charizard-Mega-X": Forme(10034, "Méga-Dracaufeu X"),
    "Charizard-Mega-Y": Forme(10035, "Méga-Dracaufeu Y"),
    "Blastoise-Mega": Forme(10036, "Méga-Tortank"),
    "Beedrill-Mega": Forme(10090, "Méga-Dardargnan"),
    "Pidgeot-Mega": Forme(10073, "Méga-Roucarnage"),
    "Rattata-Alola": Forme(10091, "Rattata d'Alola"),
    "Raticate-Alola": Forme(10092, "Rattatac d'Alola"),
    "Pikachu-Starter": Forme(10158, "Pikachu Partenaire"),
    "Sandshrew-Alola": Forme(10101, "Sabelette d'Alola"),
    "Sandslash-Alola": Forme(10102, "Sablaireau d'Alola"),
    "Vulpix-Alola": Forme(10103, "Goupix d'Alola"),
    "Ninetales-Alola": Forme(10104, "Feunard d'Alola"),
    "Diglett-Alola": Forme(10105, "Taupiqueur d'Alola"),
    "Dugtrio-Alola": Forme(10106, "Triopikeur d'Alola"),
    "Meowth-Alola": Forme(10107, "Miaouss d'Alola"),
    "Persian-Alola": Forme(10108, "Persian d'Alola"),
    "Alakazam-Mega": Forme(10037, "Méga-Alakazam"),
    "Geodude-Alola": Forme(10109, "Racaillou d'Alola"),
    "Graveler-Alola": Forme(10110, "Gravalanch d'Alola"),
    "Golem-Alola": Forme(10111, "Grolem d'Alola"),
    "Slowbro-Mega": Forme(10071, "Méga-Flagadoss"),
    "Grimer-Alola": Forme(10112, "Tadmorv d'Alola"),
    "Muk-Alola": Forme(10113, "Grotadmorv d'Alola"),
    "Gengar-Mega": Forme(10038, "Méga-Ectoplasma"),
    "Kangaskhan-Mega": Forme(10039, "Méga-Kangourex"),
    "Pinsir-Mega": Forme(10040, "Méga-Scarabrute"),
    "Gyarados-Mega": Forme(10041, "Méga-Léviator"),
    "Eevee-Starter": Forme(10159, "Évoli Partenaire"),
    "Aerodactyl-Mega": Forme(10042, "Méga-Ptéra"),
    "Mewtwo-Mega-X": Forme(10043, "Méga-Mewtwo X"),
    "Mewtwo-Mega-Y": Forme(10044, "Méga-Mewtwo Y"),
}
