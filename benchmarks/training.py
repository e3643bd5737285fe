"""How long `api-pokemon train` takes, and whether it makes the model that ships.

    python -m benchmarks.training

Runs the command on all cores, and without the tablebase, which `benchmarks.model` times on one core.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from api_pokemon.model.registry import SHIPPED, load_metadata, shipped_version
from benchmarks.figure import Figure

BOUND_SECONDS = 300.0


def main() -> int:
    shipped = load_metadata(SHIPPED / shipped_version())
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "api_pokemon", "train", "--no-tablebase", "--models-dir", folder]
        began = perf_counter()
        subprocess.run(command, check=True)
        seconds = perf_counter() - began
        (version_dir,) = Path(folder).iterdir()
        trained = load_metadata(version_dir)
    same = trained.model_sha256 == shipped.model_sha256
    in_time = Figure("training, without the tablebase", seconds, BOUND_SECONDS, "s").print()
    print(f"the model {'is' if same else 'IS NOT'} the shipped one, to the bit ({trained.model_sha256[:8]})")
    return int(not (in_time and same))


if __name__ == "__main__":
    sys.exit(main())
