"""Every environment variable of the service, read once."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Settings come from the environment (prefix ``API_POKEMON_``) or from a ``.env`` file in the working folder."""

    model_config = SettingsConfigDict(env_prefix="API_POKEMON_", env_file=".env", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port that the API listens on.")
    data_dir: Path = Field(
        Path(".api-pokemon"),
        description="Folder for everything that the service writes: models, keys, the outbox, the log.",
    )
    model_version: str = Field("", description="Model version that answers; empty: the one shipped with the package.")
    log_url: str = Field(
        "", description="Database of the prediction log, such as postgresql://…; empty: log.sqlite in the data folder."
    )
    log_keep_days: int = Field(0, ge=0, description="Remove logged predictions that are older; 0 keeps them forever.")
    log_keep_predictions: int = Field(0, ge=0, description="Remove the oldest beyond so many; 0 keeps all.")
    drift_window_seconds: int = Field(
        3600, ge=10, le=7 * 86_400, description="Length of the window of predictions that is checked for drift."
    )
    drift_check_seconds: int = Field(300, ge=5, le=86_400, description="Time between two checks for drift.")
    drift_number_statistic: Literal["wasserstein", "kolmogorov_smirnov", "population_stability"] = Field(
        "wasserstein",
        description="Drift of numbers is told by wasserstein, kolmogorov_smirnov or population_stability, beyond 0.1.",
    )
    drift_category_statistic: Literal["jensen_shannon", "population_stability"] = Field(
        "jensen_shannon",
        description="Drift of categories is told by jensen_shannon or population_stability, beyond 0.1.",
    )
    drift_report_seconds: int = Field(
        3600, ge=0, le=7 * 86_400, description="Time between two drift reports by Evidently; 0: only on demand."
    )
    drift_report_keep: int = Field(
        100, ge=0, description="Remove the oldest drift reports beyond so many; 0 keeps all."
    )
    drift_report_keep_days: int = Field(30, ge=0, description="Remove drift reports that are older; 0 keeps them.")
    stream_url: str = Field(
        "",
        description="Redis that carries events to the workers, such as redis://…; empty: the worker reads the outbox.",
    )
    outbox_max_bytes: int = Field(
        1 << 30, ge=1 << 20, description="Size at which the outbox refuses, and predictions are answered with 503."
    )
    outbox_synchronous: Literal["normal", "full"] = Field(
        "normal", description="normal: an answered prediction survives the death of any process; full: power loss too."
    )
    worker_port: int = Field(
        8001,
        ge=1,
        le=65535,
        description="Port of the worker's metrics; where the default is taken, the service takes another one.",
    )
    tablebase: bool = Field(True, description="Compile the model's tablebase in the background where it is missing.")
    predict_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="SHA-256 hashes (hex, comma-separated) of the keys that may predict."
    )
    admin_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="SHA-256 hashes (hex, comma-separated) of the keys that may administer, and predict."
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of the API's metrics; 0: /metrics on the API's own port."
    )
    metrics_protected: bool = Field(
        False, description="Show metrics, the worker's too, only to keys of the role metrics or admin."
    )
    max_in_work: int = Field(
        8,
        ge=1,
        le=4096,
        description="Predictions in work at once, for a moment ten times as many; others are answered with 503.",
    )
    rate_limit: str = Field(
        "",
        description="Requests that each key, or else each address, may send, such as 600/minute; a batch is one. "
        "Empty: no limit.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or networks (comma-separated) of proxies whose X-Forwarded-For is believed."
    )
    anonymous_predict: bool = Field(
        False, description="Allow predictions without a key when listening on another address than loopback."
    )
    faults: bool = Field(
        False, description="Let admins cause faults on purpose, for a limited time, as a fire drill does."
    )
    commit: str = Field("unknown", description="Source commit that this was built from; the container image sets it.")
    log_level: str = Field("info", description="debug, info, warning or error.")
    log_format: Literal["text", "json"] = Field(
        "text", description="text: a line for people; json: an object on each line, for programs."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Web pages that may call the API from a browser: origins (https://…, comma-separated)."
    )

    @field_validator("predict_keys", "admin_keys", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value
