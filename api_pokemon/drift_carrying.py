"""After a new model version is deployed: what was normal for the one before is, answered again, normal for this one."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from api_pokemon.dex import load_dex
from api_pokemon.errors import DriftError, ModelDamagedError, ModelMissingError
from api_pokemon.model import MoveRanker, open_model
from api_pokemon.model.answering_again import answer_again
from api_pokemon.model.baseline import may_be_installed
from api_pokemon.model.registry import SHIPPED
from api_pokemon.monitoring.drift_references import DriftReferences, Reference
from api_pokemon.monitoring.jobs import Job, Jobs
from api_pokemon.monitoring.profile_rows import row_batch
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.profile_table import NOBODY
from api_pokemon.monitoring.profiles import merge, profile_rows
from api_pokemon.startup import read_settings
from api_pokemon.stores import log_of

KIND = "drift-carry-over"
"""What these jobs are called."""

MOST_ROWS = 20_000
"""Of more, as many are taken evenly: they show as much of what is normal."""

_BATCH = 500
_LOOKED_THROUGH = 100

Progress = Callable[[float, str], None]


def ask_for_what_is_missing(engine: Engine, model_versions: list[str]) -> list[str]:
    """Enqueue a job for each of these versions that could have a reference carried over, once; returns those."""
    jobs = Jobs(engine)
    asked = jobs.page(_LOOKED_THROUGH, kind=KIND)
    missing = [version for version in model_versions if _is_missing(_source(engine, version), version, asked)]
    for version in missing:
        jobs.enqueue(KIND, {"model_version": version})
    return missing


def _is_missing(source: Reference | None, version: str, asked: Sequence[Job]) -> bool:
    """Whether it is to be asked for: once, and again after a failure where there is a later reference."""
    if source is None:
        return False
    mine = [job for job in asked if job.parameters.get("model_version") == version]
    gave_up = ("failed", "cancelled")
    return all(job.state in gave_up and job.created_seconds < source.declared_seconds for job in mine)


def carry_over(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Answer the requests of the latest reference of another version again, and let them be the version's reference.

    Parameters
    ----------
    parameters
        ``{"model_version": …}``: which version is to get it.
    """
    version = str(parameters.get("model_version", ""))
    settings = read_settings()
    log = log_of(settings)
    source = _source(log.engine, version)
    layout = ProfileStore(log.engine).layout(version)
    if source is None or layout is None:
        return {"rows": 0, "reason": f"There is nothing to carry over to {version!r}."}
    since, until = source.from_seconds, source.to_seconds
    step = source.rows // MOST_ROWS + 1
    asked_of = asked_of_version(log.engine, source)
    scanned = (found.prediction for found in log.scan(since_seconds=since, until_seconds=until))
    logged = (made for made in scanned if made.model_version == asked_of)
    rows = answer_again(ranker_of(settings.data_dir / "models", version), islice(logged, 0, None, step))
    whole, done = [], 0
    while batch := list(islice(rows, _BATCH)):
        requests, choices = zip(*batch, strict=True)
        whole.append(profile_rows(layout, row_batch(layout.specs, requests, choices)))
        done += len(batch)
        progress(min(done * step / source.rows, 1.0), f"{done:,} requests answered again")
    if done < source.rows / step / 2:
        raise DriftError(
            f"Of the {source.rows:,} predictions of the reference only {done * step:,} are in the log and can be read: "
            "declare a later stretch normal."
        )
    DriftReferences(log.engine).declare(
        version,
        "carried",
        merge(whole),
        declared_by=NOBODY,
        reason=f"Carried over from {source.model_version}: the same requests, answered again.",
        from_seconds=since,
        to_seconds=until,
    )
    return {"rows": done, "from": source.model_version}


def _source(engine: Engine, version: str) -> Reference | None:
    """The latest reference of another version that shows production; None where the version ever had one of its own."""
    references = DriftReferences(engine)
    if any(not mine.is_provisional for mine in references.history(version)):
        return None
    others = (each for each in references.history() if each.model_version != version and each.undone_by is None)
    latest = next((each for each in others if not each.is_provisional), None)
    return latest if latest and latest == references.current(latest.model_version) else None


def asked_of_version(engine: Engine, reference: Reference) -> str:
    """The model version whose requests a reference shows: another one's, where it was carried over."""
    if reference.kind != "carried":
        return reference.model_version
    stretch = (reference.from_seconds, reference.to_seconds)
    windows = (item for item in DriftReferences(engine).history() if item.kind == "window")
    found = (item.model_version for item in windows if (item.from_seconds, item.to_seconds) == stretch)
    return next(found, reference.model_version)


def ranker_of(models_dir: Path, version: str) -> MoveRanker:
    """Answers with a model version.

    Raises
    ------
    ModelMissingError, ModelDamagedError
        It is not here, or cannot be trusted.
    """
    folders = [folder for folder in (models_dir / version, SHIPPED / version) if folder.is_dir()]
    if not may_be_installed(version) or not folders:
        raise ModelMissingError(f"The model version {version!r} is not in {models_dir}, so it cannot answer again.")
    dex = load_dex()
    predictor = open_model(dex, folders[0])
    with suppress(ModelMissingError, ModelDamagedError):  # the model then answers itself, which takes longer
        predictor.load_tablebase()
    return MoveRanker(dex, predictor)
