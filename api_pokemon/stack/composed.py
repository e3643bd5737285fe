"""Where the stack of ``docker compose`` answers: what its users may set, read from where Compose reads it."""

from typing import Annotated, TypeAlias

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from api_pokemon.stack.configuration import DOCKER
from api_pokemon.stack.validate_site import Urls

COMPOSE_FILE = DOCKER.parent / "docker-compose.yml"

_Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]


class ComposeVariables(BaseSettings):
    """Variables of ``docker-compose.yml``: of the environment, else of ``.env`` beside it, else as it has them."""

    model_config = SettingsConfigDict(
        env_file=COMPOSE_FILE.with_name(".env"), env_ignore_empty=True, extra="ignore", frozen=True
    )

    api_pokemon_port: _Port = 8000
    prometheus_port: _Port = 9090
    alertmanager_port: _Port = 9093
    grafana_port: _Port = 3000
    grafana_admin_password: str = "admin"  # noqa: S105 -- the one that Grafana comes with, no secret

    @property
    def urls(self) -> Urls:
        """Of what is published; the port of the worker is not."""
        return Urls(
            api=f"http://127.0.0.1:{self.api_pokemon_port}",
            prometheus=f"http://127.0.0.1:{self.prometheus_port}",
            alertmanager=f"http://127.0.0.1:{self.alertmanager_port}",
            grafana=f"http://127.0.0.1:{self.grafana_port}",
        )
