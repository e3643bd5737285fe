"""What tests of the record share: a service, and a worker's work."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api_pokemon.model.asked import AskedDuel
from api_pokemon.monitoring import Event, NotRecordedError, Prediction, encode
from api_pokemon.monitoring.outbox_stream import OutboxStream
from api_pokemon.monitoring.stream import Entry
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.settings import Settings
from api_pokemon.startup import ADMIN_KEY_FILE
from api_pokemon.stores import log_of, outboxes_of
from tests.routes.conformance import Client

DUEL: dict[str, Any] = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf", "Razor Leaf", "Growl"]}
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


class FullDisk:
    async def record(self, *events: Event) -> None:
        raise NotRecordedError("no space left on device")


def a_service(folder: Path, **settings: Any) -> Settings:
    return Settings(data_dir=folder, tablebase=False, _env_file=None, **settings)


def carry(settings: Settings, *, confirm: bool = True) -> None:
    """Do what a worker does."""
    log, stream = log_of(settings), OutboxStream(outboxes_of(settings))
    entries = stream.read(10_000, 0.0, log.offsets())
    log.write(entries, keep_offsets=True)
    if confirm:
        stream.confirm(entries)
    stream.close()


def admin(settings: Settings) -> dict[str, str]:
    return {"X-API-Key": AdminKeyFile(settings.data_dir / ADMIN_KEY_FILE).read_or_make()}


def held(settings: Settings, prediction_id: str) -> int:
    return len(outboxes_of(settings).find(prediction_id))


async def predicted(client: Client) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.predict(DUEL)).json()
    return answer


def of(prediction: dict[str, Any], more: str = "") -> str:
    return f"/predictions/{prediction['prediction_id']}{more}"


def id_at(seconds: float, number: int = 0) -> str:
    text = f"{round(seconds * 1000):012x}7{number:03x}8{0:015x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def entry(sequence: int, event: Event) -> Entry:
    return Entry("0190f5b6-7c0e-4abc-8def-0123456789ab", sequence, encode(event))


SURF = AskedDuel(form_a=1, form_b=25, moves=(57,), moves_b=None, ranked=((57, 0.25),)).payload()
made = iter(range(1, 10_000))


def logged_at(
    settings: Settings,
    seconds: float,
    *,
    model_version: str = "v1",
    attacker: str = "bulbasaur",
    defender: str = "pikachu",
    payload: bytes = SURF,
) -> str:
    """The id of a prediction that was logged then."""
    number = next(made)
    prediction = Prediction(
        id_at(seconds, number % 4096),
        model_version,
        0.25,
        0.001,
        request={"attacker": attacker, "defender": defender},
        payload=payload,
    )
    log_of(settings).write([entry(number, prediction)])
    return prediction.prediction_id
