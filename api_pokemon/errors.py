"""Every error that this package raises on purpose.

::

    ApiPokemonError            what is wrong, and what to do about it, in one sentence each
    ├── DexError               the game's facts do not hold this
    │   ├── UnknownIdError     no form, move or type has this id
    │   └── UnknownNameError   no form or move has this name; knows the nearest names
    ├── DuelError              a duel that cannot be asked about
    │   └── NoDamagingMoveError    a form, or a list of moves, without a damaging move
    ├── SimulatorError         the battle simulator is missing, or does not work
    ├── ModelError             a model version that cannot be used
    │   ├── ModelMissingError
    │   └── ModelDamagedError
    ├── PayloadError           what is kept of a prediction, and cannot be read
    ├── FaultError             a fault that cannot be caused on purpose
    │   ├── UnknownFaultError      there is none of this name
    │   ├── FaultLevelError        it cannot be so strong
    │   └── ImpossibleFaultError   it cannot be caused here, or not safely
    ├── InjectedFaultError     a failure that was caused on purpose
    ├── KeyFileError           the file of API keys cannot be read or changed, or not so
    ├── QueryError             Prometheus cannot answer what it was asked
    ├── DriftError             what cannot be told of drift, or said of what is normal
    ├── UnreachableError       no service answers where one was expected
    ├── UnmetError             what answers does not do what the acceptance walk of the stack asks of it
    └── StartError             the service cannot start: a port, a folder, a setting
"""

from collections.abc import Sequence


class ApiPokemonError(Exception):
    """Base of the tree; ``str(error)`` is fit to show to the person who caused it."""


class DexError(ApiPokemonError):
    """The game's facts do not hold this."""


class UnknownIdError(DexError):
    """No form, move or type has this id."""

    def __init__(self, kind: str, value: int) -> None:
        super().__init__(f"There is no {kind} with id {value}.")
        self.kind = kind
        self.value = value


class UnknownNameError(DexError):
    """No form or move has this name, in any language."""

    def __init__(self, kind: str, value: str, suggestions: Sequence[str]) -> None:
        hint = f" Did you mean {', '.join(suggestions)}?" if suggestions else ""
        super().__init__(f"There is no {kind} named {value!r}.{hint}")
        self.kind = kind
        self.value = value
        self.suggestions = tuple(suggestions)


class DuelError(ApiPokemonError):
    """A duel that cannot be asked about."""


class NoDamagingMoveError(DuelError):
    """A form, or a list of moves, without a single damaging move."""


class SimulatorError(ApiPokemonError):
    """The battle simulator is missing, or does not work."""


class ModelError(ApiPokemonError):
    """A model version that cannot be used."""


class ModelMissingError(ModelError):
    """A model version, or one of its files, is not there."""


class ModelDamagedError(ModelError):
    """A model file is not what its metadata says."""


class PayloadError(ApiPokemonError):
    """What is kept of a prediction, and cannot be read."""


class FaultError(ApiPokemonError):
    """A fault that cannot be caused on purpose."""


class UnknownFaultError(FaultError):
    """There is no fault of this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no fault {name!r}; there are {', '.join(known)}.")
        self.name = name


class FaultLevelError(FaultError):
    """A fault cannot be so strong."""


class ImpossibleFaultError(FaultError):
    """A fault cannot be caused here, or not safely."""


class InjectedFaultError(ApiPokemonError):
    """A failure that was caused on purpose."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"The fault {fault} is on.")


class KeyFileError(ApiPokemonError):
    """The file of API keys cannot be read or changed, or has no such key."""


class QueryError(ApiPokemonError):
    """Prometheus cannot answer what it was asked."""


class DriftError(ApiPokemonError):
    """What cannot be told of drift, or said of what is normal."""


class UnreachableError(ApiPokemonError):
    """No service answers where one was expected."""


class UnmetError(ApiPokemonError):
    """A running stack does not do what its acceptance walk asks of it."""


class StartError(ApiPokemonError):
    """The service cannot start as it is set up."""
