"""What Alertmanager delivers is kept, told and answered; all else is refused."""

from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from api_pokemon.stack import Delivery, DeliveryReceiver

SENT: dict[str, Any] = {
    "version": "4",
    "receiver": "everyone",
    "status": "resolved",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighCPUUsage", "severity": "warning"},
            "annotations": {"description": "api:8000 used 93.0% of its CPU."},
            "startsAt": "2026-11-24T22:46:30.568982311Z",
            "endsAt": "0001-01-01T00:00:00Z",
        },
        {
            "status": "resolved",
            "labels": {"alertname": "APIDown"},
            "annotations": {},
            "startsAt": "2026-11-24T22:46:30Z",
            "endsAt": "2026-11-24T22:47:30.5Z",
        },
    ],
}


def test_each_alert_of_a_delivery_is_kept_and_told() -> None:
    told: list[Delivery] = []
    with DeliveryReceiver(0, told.append) as receiver:
        assert httpx.post(receiver.url, json=SENT).json() == {"status": "taken"}
        answered = [Delivery(**each) for each in httpx.get(f"{receiver.url}/deliveries").json()]
        assert answered == told == list(receiver)
    firing, resolved = told
    assert (firing.alert, firing.status, firing.receiver) == ("HighCPUUsage", "firing", "everyone")
    assert (firing.starts_at_seconds, firing.ends_at_seconds) == (1795560390.568982, None)
    assert resolved.ends_at_seconds == 1795560450.5
    assert firing.received_at_seconds > firing.starts_at_seconds
    assert str(firing).endswith("  FIRING    HighCPUUsage (warning): api:8000 used 93.0% of its CPU.")
    assert str(resolved).endswith("  RESOLVED  APIDown (no severity): it is over")


def test_only_the_last_are_kept() -> None:
    with DeliveryReceiver(0, most=3) as receiver:
        for _ in range(2):
            httpx.post(receiver.url, json=SENT)
        assert [delivery.alert for delivery in receiver] == ["APIDown", "HighCPUUsage", "APIDown"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"alerts": [{}], "receiver": ""}', b'{"alerts": 5, "receiver": ""}']
)
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    with DeliveryReceiver(0) as receiver:
        answer = httpx.post(receiver.url, content=body)
        assert answer.status_code == 400
        assert "not what Alertmanager sends" in answer.json()["error"]
        assert list(receiver) == []


def test_what_is_too_large_or_of_unknown_length_is_refused() -> None:
    with DeliveryReceiver(0) as receiver:
        with closing(HTTPConnection("127.0.0.1", receiver.port)) as connection:
            connection.putrequest("POST", "/")
            connection.putheader("content-length", str(5 << 20))
            connection.endheaders()
            assert connection.getresponse().status == 400
        assert httpx.post(receiver.url, content=iter([b"{}"])).status_code == 400


def test_another_path_is_named_with_what_there_is() -> None:
    with DeliveryReceiver(0) as receiver:
        answer = httpx.get(f"{receiver.url}/delivery")
        assert answer.status_code == 404
        assert "GET /deliveries" in answer.json()["error"]


def test_its_port_is_free_again_afterwards() -> None:
    with DeliveryReceiver(0) as receiver:
        port = receiver.port
        with pytest.raises(OSError, match="in use"):
            DeliveryReceiver(port)
    with DeliveryReceiver(port) as receiver:
        assert httpx.get(f"{receiver.url}/deliveries").json() == []
