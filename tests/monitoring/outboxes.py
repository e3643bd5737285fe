"""What tests put into outboxes, and find there and beside them."""

from pathlib import Path

from api_pokemon.monitoring import Outbox, new_id


def items(number: int, size: int = 100) -> list[tuple[str, bytes]]:
    return [(new_id(), bytes([65 + place % 26]) * size) for place in range(number)]


def held(outbox: Outbox) -> list[bytes]:
    return [entry.body for entry in outbox.read(0, 1_000_000)]


def set_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("outbox-0.damaged-*.sqlite"))
