"""A folder with all a manuscript needs of its runs: tables, figures, sections, BibTeX, and a frame that compiles."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from mebench.errors import UsageError
from mebench.files import write_atomic
from mebench.leaderboard import SYNTHETIC_WARNING
from mebench.manuscript.bibliography import Bibliography
from mebench.manuscript.checklist import checklist_section, commands
from mebench.manuscript.escaping import latex_code, latex_text
from mebench.manuscript.finished import Group, finished_groups
from mebench.manuscript.prose import methods_section
from mebench.manuscript.results import confusable, results_section
from mebench.manuscript.tables import class_tables, scores_table
from mebench.version import __version__

MAIN, README = "main.tex", "README.md"


def write_manuscript(home: Path, names: Sequence[str], folder: Path) -> tuple[Path, ...]:
    """The files written into the folder, for the runs of these names or ids.

    A `main.tex` that is there already is the author's and stays as it is; everything else is written anew. Raises
    UsageError where the folder holds something else, RunError for a run without a score that may be printed.
    """
    groups = finished_groups(home, names)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / README).is_file())):
        raise UsageError(f"{folder} holds something else than a manuscript.", "Give a new folder, or an empty one.")
    written = []
    for name, content in contents(groups).items():
        path = folder / name
        if name != MAIN or not path.exists():
            write_atomic(path, content)
            written.append(path)
    return tuple(written)


def contents(groups: Sequence[Group]) -> dict[str, bytes]:
    """Every file of the manuscript by its place in the folder."""
    bibliography = Bibliography()
    texts = {
        "sections/methods.tex": methods_section(groups, bibliography),
        "sections/results.tex": results_section(groups),
        "sections/checklist.tex": checklist_section(groups),
        "references.bib": bibliography.text(),
    }
    for group in groups:
        texts[f"tables/scores-{group.slug}.tex"] = scores_table(group)
        for number, table in enumerate(class_tables(group)):
            texts[f"tables/classes-{group.slug}-{number}.tex"] = table
    names = ", ".join(map(latex_code, dict.fromkeys(group.protocol for group in groups)))
    synthetic = any(group.synthetic for group in groups)
    texts[MAIN] = _filled(
        MAIN,
        title=f"Micro-expression recognition under {names}",
        banner=rf"\begin{{center}}\fbox{{\textbf{{{latex_text(SYNTHETIC_WARNING)}.}}}}\end{{center}}"
        if synthetic
        else "",
    )
    texts[README] = _filled(
        README,
        runs="\n".join(f"    {command}" for command in commands(groups)),
        warning=f"\n**{SYNTHETIC_WARNING}.**\n" if synthetic else "",
        version=__version__,
    )
    return {**{name: text.encode() for name, text in texts.items()}, **_drawn(groups)}


def _drawn(groups: Sequence[Group]) -> dict[str, bytes]:
    from mebench.manuscript.figures import class_plot, confusion_plot, forest_plot  # matplotlib takes its time

    made: dict[str, bytes] = {}
    for group in groups:
        made[f"figures/forest-{group.slug}.pdf"] = forest_plot(group)
        made[f"figures/classes-{group.slug}.pdf"] = class_plot(group)
        made |= {f"figures/confusion-{one.slug}.pdf": confusion_plot(group, one) for one in confusable(group)}
    return made


def _filled(name: str, **values: str) -> str:
    """The template of this name with `<<key>>` replaced; what is put in is not looked at again."""
    text = (files("mebench.manuscript") / "fill-in" / name).read_text(encoding="utf-8")
    first, *rest = text.split("<<")
    return first + "".join(values[key] + after for key, _, after in (part.partition(">>") for part in rest))


__all__ = ["MAIN", "README", "contents", "write_manuscript"]
