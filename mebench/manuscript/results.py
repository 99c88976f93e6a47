"""The results section: where each table and figure stands, and what it shows."""

from collections.abc import Iterator, Sequence

from mebench.manuscript.escaping import latex_code, latex_text
from mebench.manuscript.finished import Finished, Group
from mebench.manuscript.tables import class_tables, warning

_ABREAST_CLASSES = 6
"""Up to so many classes two confusions stand side by side."""
_CONFUSIONS = 6
"""Confusions in one figure, which must fit a page."""


def results_section(groups: Sequence[Group]) -> str:
    """The results section, which takes in tables and figures by name."""
    lines = [r"\section{Results}", ""]
    lines += [_reference(group) for group in groups]
    for group in groups:
        lines += ["", rf"\input{{tables/scores-{group.slug}}}"]
        lines += [rf"\input{{tables/classes-{group.slug}-{number}}}" for number in range(len(class_tables(group)))]
        lines += [_figure(group, f"forest-{group.slug}", _forest_caption(group))]
        lines += [_figure(group, f"classes-{group.slug}", f"F1 of each class under {latex_code(group.protocol)}.")]
        lines += _confusions(group)
    return "\n".join([*lines, r"\clearpage", ""])


def confusable(group: Group) -> Sequence[Finished]:
    """Those whose confusion can be drawn: clips of several classes have none."""
    return () if group.several else group.members


def _reference(group: Group) -> str:
    drawn = rf", confusions in Figure~\ref{{fig:confusion-{group.slug}-0}}" if confusable(group) else ""
    return (
        rf"Under {latex_code(group.protocol)}, Table~\ref{{tab:scores-{group.slug}}} and "
        rf"Figure~\ref{{fig:forest-{group.slug}}} give the scores with their intervals, "
        rf"Table~\ref{{tab:classes-{group.slug}-0}} and Figure~\ref{{fig:classes-{group.slug}}} every class{drawn}."
    )


def _confusions(group: Group) -> Iterator[str]:
    """The confusions of a group, a few to a figure."""
    members = confusable(group)
    for number, at in enumerate(range(0, len(members), _CONFUSIONS)):
        caption = (
            f"Confusions under {latex_code(group.protocol)}: clips{_summed(group)}, on shades of the share of the true "
            "class."
        )
        panels = "\n".join(_panel(group, one) for one in members[at : at + _CONFUSIONS])
        yield _float(group, panels, caption, f"fig:confusion-{group.slug}-{number}")


def _summed(group: Group) -> str:
    """How the counts of several seeds and directions became one."""
    seeds = any(len(one.run.seeds) > 1 for one in group.members)
    directions = group.first.entry.aggregate == "directions"
    said = [*(["summed over directions"] if directions else []), *(["means over seeds"] if seeds else [])]
    return f" ({', '.join(said)})" if said else ""


def _panel(group: Group, one: Finished) -> str:
    """A confusion under its method's name, at half the width of the page where that will do."""
    width = 0.49 if len(group.classes) <= _ABREAST_CLASSES else 0.98
    return "\n".join(
        [
            rf"\begin{{minipage}}[b]{{{width}\textwidth}}",
            r"\centering",
            rf"{{\small {latex_text(group.name(one))}\par}}",
            rf"\includegraphics[width=\linewidth]{{figures/confusion-{one.slug}}}",
            r"\end{minipage}\hfill",
        ]
    )


def _figure(group: Group, name: str, caption: str) -> str:
    return _float(group, rf"\includegraphics{{figures/{name}}}", caption, f"fig:{name}")


def _float(group: Group, content: str, caption: str, label: str) -> str:
    caption = rf"\caption{{{caption}{warning(group)}}}"
    return "\n".join(
        [r"\begin{figure}[htbp]", r"\centering", content, caption, rf"\label{{{label}}}", r"\end{figure}", ""]
    )


def _forest_caption(group: Group) -> str:
    seeds = "; small dots are single seeds" if any(len(one.run.seeds) > 1 for one in group.members) else ""
    answer = "every class of every clip" if group.several else "the largest class throughout"
    return (
        f"UF1 with 95\\,\\% intervals over subjects under {latex_code(group.protocol)}{seeds}. The dotted line is what "
        f"naming {answer} would reach."
    )


__all__ = ["confusable", "results_section"]
