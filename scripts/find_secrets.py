#!/usr/bin/env python3
"""Look for keys and passwords in every tracked file: part of `make audit`.

Names the file, the line and the kind of each, never the secret itself, and ends with exit status 1 if there is one.
A made-up one that must be there goes into `MADE_UP`, or gets `# pragma: allowlist secret` behind it.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from detect_secrets.core.scan import scan_file
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).parents[1]
MADE_UP = {
    "admin",
    "alert_webhook_url",
    "api-pokemon key",
    "change-me",
    "pass",
    "password",
    "s3cr3t-of-the-database",
    "s3cret",
    "secret",
}
"""What tests and examples call a secret."""

NOT_READ = re.compile(r"requirements[\w-]*\.txt$|package-lock\.json$|\.(msgpack|onnx|parquet|png)$")
"""Hashes of packages, and files that hold no text."""

DETECTORS = [
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "KeywordDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
]
"""Not those of hexadecimal strings and addresses, of which the tests are full; no secret of ours is one."""


class OwnKeyDetector(RegexBasedDetector):
    """Knows the keys that `api-pokemon key new` makes."""

    secret_type = "api-pokemon key"  # noqa: S105 -- what it is called
    denylist = (re.compile(r"\bapk_[A-Za-z0-9_-]{43}"),)


SETTINGS = {
    "plugins_used": [
        {"name": "Base64HighEntropyString", "limit": 4.5},
        {"name": OwnKeyDetector.__name__, "path": Path(__file__).resolve().as_uri()},
        *({"name": name} for name in DETECTORS),
    ]
}


class Finding(NamedTuple):
    file: Path
    line: int
    kind: str


def find(files: Iterable[Path]) -> Iterator[Finding]:
    """Every secret that is not made up."""
    with transient_settings(SETTINGS):
        for file in files:
            for secret in scan_file(str(file)):
                if secret.secret_value not in MADE_UP:
                    yield Finding(file, secret.line_number, secret.type)


def tracked_files() -> Iterator[Path]:
    command = ["git", "ls-files", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return (ROOT / name for name in names if name and not NOT_READ.search(name))


def main() -> int:
    files = list(tracked_files())
    findings = list(find(files))
    for finding in findings:
        print(f"{finding.file.relative_to(ROOT)}:{finding.line}: {finding.kind}", file=sys.stderr)
    print(f"{len(files)} files, {len(findings)} secrets")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
