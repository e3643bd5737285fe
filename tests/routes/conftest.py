"""The whole application around the shipped model, and a client that holds every answer against the OpenAPI document."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from api_pokemon.main import create_app
from api_pokemon.settings import Settings
from tests.routes.conformance import Client, Conformance


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, tablebase=False, _env_file=None)


@pytest.fixture(scope="session")
def shared_app(settings: Settings) -> FastAPI:
    """For tests that leave no trace but numbers in metrics."""
    return create_app(settings)


@pytest.fixture(scope="session")
def conformance(shared_app: FastAPI) -> Conformance:
    return Conformance(shared_app)


@pytest.fixture
async def client(shared_app: FastAPI, conformance: Conformance) -> AsyncIterator[Client]:
    async with Client(shared_app, conformance) as client:
        yield client
