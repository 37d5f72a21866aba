"""Make the list of packages in environment.yml from the lock, for those who use conda."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "environment.yml"
LOCK = ROOT / "requirements.lock"
_BEGIN = "      # The packages of requirements.lock; `make pages` copies them.\n"
_END = "      # Last: everything that labkit needs is installed by then.\n"


def page() -> str:
    """Return the current text of environment.yml."""
    text = PAGE.read_text(encoding="utf-8")
    if text.count(_BEGIN) != 1 or text.count(_END) != 1:
        raise ValueError(f"{PAGE.name} must have these two lines once:\n{_BEGIN}{_END}")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    lines = [f"      - {package}\n" for package in locked()]
    return f"{before}{_BEGIN}{''.join(lines)}{_END}{after}"


def locked() -> list[str]:
    """Return each package of the lock with its version and its condition, without hashes."""
    text = LOCK.read_text(encoding="utf-8")
    return [
        " ".join(line.split()) for line in re.findall(r"^([\w.-]+==[^\\\n]+)", text, re.MULTILINE)
    ]
