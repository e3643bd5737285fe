"""That `scripts/find_secrets.py` finds what it looks for; `make audit` runs it over the repository."""

import base64
import random
import string
from pathlib import Path

import pytest

from api_pokemon.routes.keys import make_key
from scripts.find_secrets import MADE_UP, find, tracked_files

ROOT = Path(__file__).parents[1]
RANDOM = random.Random(1)


def letters(number: int) -> str:
    return "".join(RANDOM.choices(string.ascii_letters + string.digits, k=number))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"Use {make_key()} for now.", "api-pokemon key"),
        (f'token = "{base64.b64encode(RANDOM.randbytes(48)).decode()}"', "Base64 High Entropy String"),
        (f"postgresql://shop:{letters(12)}@database/log", "Basic Auth Credentials"),
        (f'password = "{letters(9)}"', "Secret Keyword"),
        (f"ghp_{letters(36)}", "GitHub Token"),
        (f"https://hooks.slack.com/services/T{letters(8).upper()}/B{letters(8).upper()}/{letters(24)}", "Slack Token"),
        ("-----BEGIN " + "RSA PRIVATE KEY-----", "Private Key"),
        ("AKIA" + "Q3EGRPL2BW7K9XCD", "AWS Access Key"),
    ],
    ids=lambda value: value if " " in value and len(value) < 30 else "",
)
def test_a_planted_secret_is_found(tmp_path: Path, line: str, kind: str) -> None:
    file = tmp_path / "notes.py"
    file.write_text(f"first = 1\n{line}\nlast = 3\n")
    assert (2, kind) in [(finding.line, finding.kind) for finding in find([file])]


def test_what_is_made_up_is_not(tmp_path: Path) -> None:
    file = tmp_path / "notes.py"
    file.write_text("".join(f'url = "redis://worker:{word}@host"\npassword = "{word}"\n' for word in sorted(MADE_UP)))
    assert list(find([file])) == []


def test_every_file_of_text_is_read() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in tracked_files()}
    assert {"docker-compose.yml", ".env.example", "README.md", "tests/conftest.py", "api_pokemon/main.py"} <= files
    assert "requirements-dev.txt" not in files
