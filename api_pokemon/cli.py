"""The commands of ``api-pokemon``: where each of them lives, and nothing else.

A command's module is imported when the command is used, so that ``--help`` and ``up`` do not wait for numpy or a model.
"""

import importlib
import sys
from typing import Annotated, Any, NamedTuple, NoReturn

import typer
from typer.core import TyperGroup

from api_pokemon import __version__
from api_pokemon.errors import ApiPokemonError


class Command(NamedTuple):
    """A command: its name, where its function (or a Typer of several) is, and the first sentence of that one's help."""

    name: str
    module: str
    function: str
    summary: str

    def load(self) -> Any:
        """Import what runs it."""
        return getattr(importlib.import_module(self.module), self.function)


COMMANDS = (
    Command("up", "api_pokemon.up", "up", "Start the service and keep it running."),
    Command(
        "stack",
        "api_pokemon.stack.native",
        "stack",
        "Start the service with Prometheus, Alertmanager and node-exporter, natively.",
    ),
    Command(
        "validate",
        "api_pokemon.stack.validate",
        "validate",
        "Walk through the running stack, and print what of it works, with proof.",
    ),
    Command("serve", "api_pokemon.serve", "serve", "Answer requests from this process, without a supervisor."),
    Command(
        "worker", "api_pokemon.worker", "worker", "Carry predictions into the prediction log, and do the periodic work."
    ),
    Command(
        "account",
        "api_pokemon.account_command",
        "account",
        "Print the balance: events accepted, logged, pending, and unaccounted for.",
    ),
    Command(
        "jobs", "api_pokemon.jobs_command", "jobs", "Look at the jobs of the workers, ask for one, or give one up."
    ),
    Command(
        "drift",
        "api_pokemon.drift_command",
        "drift",
        "See whether predictions still look like those that are normal, and say what is normal.",
    ),
    Command(
        "key",
        "api_pokemon.key_command",
        "keys",
        "Make API keys and take them back, while the service runs, and find the one for administration.",
    ),
    Command(
        "drill",
        "api_pokemon.stack.drill.command",
        "drill",
        "Cause alerts for real, and watch them fire, be delivered, and end.",
    ),
    Command("traffic", "api_pokemon.traffic.command", "traffic", "Play a believable client against a running service."),
    Command(
        "replay",
        "api_pokemon.replay_command",
        "replay",
        "Answer logged predictions again with any model version, and print what changes.",
    ),
    Command(
        "simulate",
        "api_pokemon.battle.simulator.command",
        "simulate",
        "Play duels in the real simulator and write how they ended to a parquet file.",
    ),
    Command(
        "train",
        "api_pokemon.model.commands",
        "train",
        "Make a model version from battles: train, convert to ONNX, measure, compile.",
    ),
    Command(
        "evaluate",
        "api_pokemon.model.commands",
        "evaluate",
        "Measure a model on duels between forms that training never saw, beside their noise and simple guesses.",
    ),
    Command(
        "tablebase",
        "api_pokemon.model.commands",
        "tablebase",
        "Compile a model version over all duels that there are, so that answers are looked up.",
    ),
)


class LazyGroup(TyperGroup):
    """Lists commands by their summaries, and loads the one that is used."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        for command in COMMANDS:
            if command.name == args[0]:
                self.add_command(_command_of(command), command.name)
        return super().resolve_command(ctx, args)


def _command_of(command: Command) -> Any:
    loaded = command.load()
    if isinstance(loaded, typer.Typer):
        return typer.main.get_command(loaded)
    single = typer.Typer(add_completion=False)
    single.command(command.name)(loaded)
    return typer.main.get_command(single)


def _application() -> typer.Typer:
    application = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    application.callback(help="Predicts the best move in a Pokémon Let's Go duel. Start with: api-pokemon up")(_options)
    for command in COMMANDS:
        application.command(command.name, help=command.summary)(lambda: None)
    return application


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of ``api-pokemon`` itself; each acts in its own callback."""


app = _application()


def main() -> None:
    """Run the command line; an error of ours is one line and exit status 1."""
    try:
        app()
    except ApiPokemonError as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("api_pokemon"):
            raise
        # Only what answers requests needs is installed, and this command needs more.
        _fail(f"This command needs {error.name}. Install it: make train-env, or pip install -r requirements-train.txt")


def _fail(message: str) -> NoReturn:
    print(f"api-pokemon: {message}", file=sys.stderr)
    raise SystemExit(1)
