"""The table in README.md: `--write` puts in what the demo gave here, without it the two are compared.

Usage: python docs/readme_table.py HOME [--write], HOME being that of a finished `mebench demo`.

On the machine and with the versions named beside the table the comparison is exact. Elsewhere rounding may tip a clip
over, so rows and columns must agree and figures may differ by `TOLERANCE`.
"""

import re
import sys
from pathlib import Path

from mebench.runs import environment
from mebench.standing import leaderboard_text

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"(?<=<!-- demo table: make readme -->\n).*?(?=<!-- end of demo table -->)", re.DOTALL)
FIGURE = re.compile(r"(?<![\w.])(?:\d?\.\d+)(?![\w.])")
TOLERANCE = 0.2


def demo_table(home: Path) -> str:
    """The demo's leaderboard as Markdown, its headings one level below those of the README."""
    text = leaderboard_text(home / "demo", "loso", "md", width=120, colour=False)
    made_with = ", ".join(f"{name} {version}" for name, version in environment().items())
    return f"<!-- {made_with} -->\n\n" + re.sub(r"^## ", "### ", text, flags=re.MULTILINE) + "\n"


def agree(ours: str, theirs: str) -> bool:
    """Whether two tables say the same: to the letter on one machine, within the tolerance on two."""
    if ours.splitlines()[0] == theirs.splitlines()[0]:
        return ours == theirs
    (words, figures), (other_words, other_figures) = _parts(ours), _parts(theirs)
    close = all(abs(a - b) <= TOLERANCE for a, b in zip(figures, other_figures, strict=False))
    return words == other_words and len(figures) == len(other_figures) and close


def _parts(table: str) -> tuple[list[str], list[float]]:
    """The lines below the first without figures and ranks, sorted, and the figures."""
    lines = table.splitlines()[1:]
    words = sorted(re.sub(r"^\| \d* \|", "|", FIGURE.sub("#", line)) for line in lines)
    return words, sorted(float(figure) for line in lines for figure in FIGURE.findall(line))


def main(home: Path, *, write: bool) -> int:
    """0 when the README holds the demo's table."""
    text, table = README.read_text(encoding="utf-8"), demo_table(home)
    found = BLOCK.search(text)
    if write:
        README.write_text(BLOCK.sub(lambda _: table, text), encoding="utf-8")
    elif found is None or not agree(found[0], table):
        sys.stderr.write("The table in README.md is not what the demo printed: run make readme.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), write="--write" in sys.argv[2:]))
