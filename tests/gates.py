"""Plants one violation per gate in a copy of the installed tree and demands that the gate closes.

Usage: python tests/gates.py build/tree
"""

import shutil
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# Import rule -> (module of the installed tree, import that breaks it)
PLANTS = {
    "The core never imports a plugin": ("mebench/clips.py", "import mebench.baselines.floor"),
    "The scorer stands on numpy alone": ("mebench/scoring.py", "import pandas"),
    "What the command line needs to answer does without the heavy libraries": ("mebench/runs.py", "import scipy"),
    "Vision is pure functions on arrays": ("mebench/vision/flow.py", "import mebench.store"),
    "The fold loop reads no disk": ("mebench/evaluation.py", "import mebench.store"),
    "Plugins use the public API": ("mebench/lam/model.py", "import mebench.scoring"),
    "Plugins do not lean on each other": ("mebench/lam/model.py", "import mebench.baselines.floor"),
}
PLUGINS = {"baselines", "lam", "protocols"}


def main(tree: Path) -> int:
    """0 when every gate is open for the tree as it is and closes for each planted violation."""
    faults = [*uncovered_modules(tree), *open_gates(tree)]
    for fault in faults:
        sys.stderr.write(f"gate: {fault}\n")
    if not faults:
        sys.stdout.write(f"gates: {len(PLANTS)} import rules, types, lint and format close on planted violations\n")
    return len(faults)


def uncovered_modules(tree: Path) -> list[str]:
    """Core modules the plugin rule does not name: a new module must not slip past it."""
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter")
    named = set(parser["importlinter:contract:plugins"]["source_modules"].split())
    present = {p.stem for p in (tree / "mebench").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    core = {f"mebench.{name}" for name in present - PLUGINS - {"__init__"}}
    return [f"{name} is not in the rule 'The core never imports a plugin'" for name in sorted(core ^ named)]


def open_gates(tree: Path) -> list[str]:
    """The gates that let a planted violation through."""
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        for rule, (module, line) in PLANTS.items():
            shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("*.dist-info", "__pycache__"))
            append(copy / module, line)
            printed = run(copy, BIN / "lint-imports", "--config", ROOT / ".importlinter", "--no-cache")
            if f"{rule} BROKEN" not in printed:
                faults.append(f"import-linter does not see {line!r} in {module}")
            shutil.rmtree(copy)
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("*.dist-info", "__pycache__"))
        faults += open_source_gates(copy)
    return faults


def open_source_gates(copy: Path) -> list[str]:
    """Types, lint and format, each tried on one planted module."""
    plants = {
        "mypy": ("number: int = 'text'\n", [BIN / "mypy", "--strict", "planted.py"], "Incompatible types"),
        "ruff check": ("print('planted')\n", [BIN / "ruff", "check", "--config", ROOT / "pyproject.toml", "."], "T201"),
        "ruff format": (
            "x = [ 1,2 ]\n",
            [BIN / "ruff", "format", "--check", "--config", ROOT / "pyproject.toml", "planted.py"],
            "would be reformatted",
        ),
    }
    faults = []
    for gate, (text, command, expected) in plants.items():
        (copy / "planted.py").write_text(text)
        if expected not in run(copy, *command):
            faults.append(f"{gate} does not see {text!r}")
    return faults


def append(path: Path, line: str) -> None:
    """Adds a line at the end of a file."""
    path.write_text(path.read_text() + f"\n{line}\n")


def run(folder: Path, *command: object) -> str:
    """What the command prints, run in the folder with the folder on the path."""
    environment = {"PYTHONPATH": str(folder), "PATH": str(BIN), "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
