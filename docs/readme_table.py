"""The table in README.md: `--write` puts in what `mebench demo` gives here, without it the two are compared.

Usage: python docs/readme_table.py HOME [--write], HOME being that of a finished demo.
"""

import re
import sys
from pathlib import Path

from mebench.standing import leaderboard_text

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"(?<=<!-- demo table: make readme -->\n).*?(?=<!-- end of demo table -->)", re.DOTALL)


def demo_table(home: Path) -> str:
    """The demo's leaderboard as Markdown, its headings one level below those of the README."""
    text = leaderboard_text(home / "demo", "loso", "md", width=120, colour=False)
    return "\n" + re.sub(r"^## ", "### ", text, flags=re.MULTILINE) + "\n"


def readme_table() -> str:
    """The table that stands in the README."""
    found = BLOCK.search(README.read_text(encoding="utf-8"))
    return found[0] if found else ""


def main(home: Path, *, write: bool) -> int:
    """0 when the README holds the demo's table."""
    table = demo_table(home)
    if write:
        README.write_text(BLOCK.sub(lambda _: table, README.read_text(encoding="utf-8")), encoding="utf-8")
    elif readme_table() != table:
        sys.stderr.write("The table in README.md is not what the demo printed: run make readme.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), write="--write" in sys.argv[2:]))
