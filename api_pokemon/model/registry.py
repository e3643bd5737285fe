"""Model versions as folders: what lies in one, whether it is sound, and the one that ships with the package.

::

    <models>/<version>/
        model.onnx       the booster
        metadata.json    what it was made from, and what it can do; holds the hash of model.onnx
        rows.parquet     a sample of its monitored rows under uniform traffic
        baseline.msgpack the profile of these rows, which drift is measured against at first
        tablebase/       the model compiled over its whole domain (absent until compiled)
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from api_pokemon.errors import ModelDamagedError, ModelMissingError, StartError

SHIPPED = Path(__file__).parent / "shipped"
MODEL_FILE = "model.onnx"
METADATA_FILE = "metadata.json"
ROWS_FILE = "rows.parquet"
BASELINE_FILE = "baseline.msgpack"
TABLEBASE_DIR = "tablebase"

DUEL_RULES = (
    "Let's Go Pikachu/Eevee, one on one: level 50, IV 31, no Awakening Values, Serious nature, friendship 70, no item, "
    "no ability; each side uses one move every turn until one faints. Truth: Pokémon Showdown, mod gen7letsgo."
)


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a version was made from, and what it can do.

    Attributes
    ----------
    version : its name, and its folder's
    created : ISO 8601 date and time, UTC
    commit : the source it was trained with, empty outside a checkout
    data_sha256, battles : the battles it was trained on, and how many
    model_sha256 : hash of ``model.onnx``
    duel_rules : the definition of the label
    features : names of the model's columns, in order
    hyper_parameters : as XGBoost takes them
    metrics : see ``evaluation``; each error stands beside its noise floor
    """

    version: str
    created: str
    commit: str
    data_sha256: str
    battles: int
    model_sha256: str
    duel_rules: str
    features: tuple[str, ...]
    hyper_parameters: Mapping[str, float | int | str]
    metrics: Mapping[str, float] = field(default_factory=dict)

    def save(self, version_dir: Path) -> None:
        """Write ``metadata.json``."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        (version_dir / METADATA_FILE).write_text(text + "\n", encoding="utf-8")


def load_metadata(version_dir: Path) -> ModelMetadata:
    """Read ``metadata.json`` and check ``model.onnx`` against it.

    Raises
    ------
    ModelMissingError
        The folder or one of the two files is not there.
    ModelDamagedError
        A file cannot be read, or the model is not the one that the metadata tell of.
    """
    remedy = _remedy(version_dir)
    try:
        for name in (METADATA_FILE, MODEL_FILE):
            if not (version_dir / name).is_file():
                raise ModelMissingError(f"{version_dir / name} is missing; {remedy}.")
        record = json.loads((version_dir / METADATA_FILE).read_text(encoding="utf-8"))
        metadata = ModelMetadata(**{**record, "features": tuple(record["features"])})
        sound = file_sha256(version_dir / MODEL_FILE) == metadata.model_sha256
    except OSError as error:
        raise ModelDamagedError(f"{error.filename} cannot be read ({error.strerror}); {remedy}.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ModelDamagedError(f"{version_dir / METADATA_FILE} is damaged ({error}); {remedy}.") from error
    if not sound:
        raise ModelDamagedError(f"{version_dir / MODEL_FILE} is not the model that its metadata tells of; {remedy}.")
    return metadata


def _remedy(version_dir: Path) -> str:
    if version_dir.parent == SHIPPED:
        return "install the package anew"
    if (SHIPPED / version_dir.name).is_dir():
        return f"remove {version_dir} to install the version anew"
    return "train or copy that version anew"


def shipped_version() -> str:
    """Name of the version that ships with the package."""
    versions = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()) if SHIPPED.is_dir() else []
    if not versions:
        raise ModelMissingError("The package holds no model; install it anew, or make one with `api-pokemon train`.")
    return versions[-1]


def install_version(models_dir: Path, version: str = "") -> Path:
    """Folder of a version; the shipped one is copied there when it is not there yet.

    Parameters
    ----------
    models_dir
        Where versions live; made if absent.
    version
        Empty for the shipped version.

    Raises
    ------
    StartError
        The version is no folder's name, or the folder cannot be written.
    ModelMissingError
        There is no such version.
    ModelDamagedError
        The package's own copy is damaged; it is not copied.
    """
    version = version or shipped_version()
    if version.startswith(".") or {"/", "\\"} & set(version):
        raise StartError(
            f"API_POKEMON_MODEL_VERSION is {version!r}; it must be the name of a folder in {models_dir}, "
            "without a separator or a leading dot."
        )
    try:
        return _installed(models_dir, version)
    except OSError as error:
        raise StartError(
            f"The models folder {models_dir} cannot take a version ({_reason(error)}). "
            "Make it a writable folder, or set API_POKEMON_DATA_DIR to another place."
        ) from error


def _installed(models_dir: Path, version: str) -> Path:
    target = models_dir / version
    if target.is_dir():
        return target
    source = SHIPPED / version
    if not source.is_dir():
        raise ModelMissingError(
            f"There is no model version {version!r} in {models_dir}; "
            "unset API_POKEMON_MODEL_VERSION to use the shipped one."
        )
    load_metadata(source)  # or a broken package would leave a broken copy, which outlives the package's repair
    models_dir.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".install-", dir=models_dir))
    try:
        shutil.copytree(source, staged, dirs_exist_ok=True)
        staged.rename(target)
    except OSError:
        if not target.is_dir():  # or another process was faster
            raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return target


def _reason(error: OSError) -> str:
    if isinstance(error, shutil.Error):  # all that copytree ran into, as (source, target, reason)
        return str(error.args[0][0][2])
    return str(error.strerror)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
