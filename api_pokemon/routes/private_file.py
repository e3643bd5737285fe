"""Files for the eyes of one user, written whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def private_draft(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside ``path`` with that content, on disk, which nobody else can read; it goes at the end if it is left.

    Raises
    ------
    OSError
        It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def replace_privately(path: Path, content: bytes) -> None:
    """Put the content in place of what is there; whoever reads meanwhile gets the old or the new one.

    Raises
    ------
    OSError
        It cannot be written; what was there stays.
    """
    with private_draft(path, content) as draft:
        draft.replace(path)
