"""What the package offers, and what it keeps out of."""

import re
import subprocess
import sys
from inspect import ismodule
from pathlib import Path

import api_pokemon.monitoring as monitoring

SOURCES = sorted(Path(monitoring.__file__).parent.glob("*.py"))


def test_what_is_offered_is_what_is_there() -> None:
    public = {name for name, value in vars(monitoring).items() if not name.startswith("_") and not ismodule(value)}
    assert sorted(monitoring.__all__) == sorted(public)
    assert monitoring.__all__ == sorted(monitoring.__all__)


def test_it_knows_nothing_of_what_is_predicted() -> None:
    text = "\n".join(source.read_text() for source in SOURCES)
    about_the_game = re.findall(r"(?i)\b\w*(?<!api_)pok[eé]mon\w*|\bduels?\b|\bbattles?\b|\bmatchups?\b", text)
    assert about_the_game == []


def test_importing_it_does_nothing() -> None:
    """No metric in the global registry and no thread, just from an import."""
    check = (
        "import threading, prometheus_client as p;"
        "before = list(p.REGISTRY._collector_to_names);"
        "import api_pokemon.monitoring, sys;"
        "assert list(p.REGISTRY._collector_to_names) == before;"
        "assert threading.active_count() == 1;"
        "ours = {name for name in sys.modules if name.startswith('api_pokemon.')};"
        "assert all(name.startswith('api_pokemon.monitoring') for name in ours), ours"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
