"""LaTeX tables in booktabs style: scores with their intervals, recall and F1 of every class."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mebench.leaderboard import SYNTHETIC_WARNING, Row
from mebench.manuscript.escaping import latex_code, latex_name, latex_text
from mebench.manuscript.finished import Finished, Group
from mebench.render import NONE, figure
from mebench.replication import remarks
from mebench.scoring import ALL

METHODS_ABREAST = 4
"""Methods whose recall and F1 stand side by side on one page."""
_TITLE_WIDTH = 0.22
"""Share of the page that a method's title takes at most above its columns."""
_MARKS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Notes:
    """Remarks below a table, each under a letter of its own however often it is made."""

    said: dict[str, str] = field(default_factory=dict)

    def mark(self, remarks: Sequence[str]) -> str:
        """The superscript letters of these remarks; nothing where there are none."""
        letters = [self.said.setdefault(remark, self._letter()) for remark in remarks]
        return rf"\textsuperscript{{{','.join(letters)}}}" if letters else ""

    def lines(self) -> list[str]:
        """The remarks, as LaTeX."""
        return [rf"\textsuperscript{{{letter}}}~{latex_text(remark)}." for remark, letter in self.said.items()]

    def _letter(self) -> str:
        number = len(self.said)
        return _MARKS[number] if number < len(_MARKS) else f"{_MARKS[number % 26]}{number // 26}"


def scores_table(group: Group) -> str:
    """UF1 and UAR with 95 % intervals, accuracy and weighted F1 of every run of a board, slice by slice."""
    notes, body = Notes(), []
    everywhere = _said_of_all(group)
    for name in group.slices:
        if len(group.slices) > 1:
            size = f"{len(group.clips(name))} clips, {group.subjects(name)} subjects"
            body += [r"\addlinespace", rf"\multicolumn{{9}}{{@{{}}l}}{{\emph{{{latex_text(name)}}} ({size})}} \\"]
        body += [_score_row(group, one, row, notes, everywhere) for one, row in _rows_of(group, name)]
    spread = (
        [r"$\pm$ is the standard deviation over seeds."] if any(len(m.run.seeds) > 1 for m in group.members) else []
    )
    head = (
        r"Method & Privilege & Selection & UF1 & 95\,\% & UAR & 95\,\% & Acc. & wF1 \\",
        r"@{}>{\raggedright\arraybackslash}Xllrcrcrr@{}",
    )
    caption = f"Scores under {latex_code(group.protocol)}: {_extent(group)}. {_words(group)}"
    common = [f"{latex_text(_begun(remark))}." for remark in everywhere]
    lines = [*notes.lines(), *common, "wF1 is weighted F1.", "Intervals are over subjects.", *spread]
    return _table(group, caption, f"tab:scores-{group.slug}", head[1], [head[0]], body, lines)


def class_tables(group: Group) -> list[str]:
    """Recall and F1 of every class over all clips, a few methods to a table."""
    starts = range(0, len(group.members), METHODS_ABREAST)
    return [_class_table(group, group.members[at : at + METHODS_ABREAST], at // METHODS_ABREAST) for at in starts]


def warning(group: Group) -> str:
    """What must stand in every caption of a synthetic board; nothing for a recorded one."""
    return rf" \textbf{{{latex_text(SYNTHETIC_WARNING)}.}}" if group.synthetic else ""


def _class_table(group: Group, members: Sequence[Finished], number: int) -> str:
    width = min(_TITLE_WIDTH, 0.66 / len(members))
    titles = [
        rf"\multicolumn{{2}}{{c}}{{\parbox[b]{{{width:.2f}\textwidth}}{{\centering {latex_name(group.name(m))}}}}}"
        for m in members
    ]
    rules = "".join(rf"\cmidrule(lr){{{3 + 2 * i}-{4 + 2 * i}}}" for i in range(len(members)))
    head = [
        " & & " + " & ".join(titles) + r" \\",
        rules,
        "Class & Clips & " + " & ".join(["Recall & F1"] * len(members)) + r" \\",
    ]
    clips, body = group.per_class(), []
    for at, name in enumerate(group.classes):
        cells = [
            figure(v) for m in members for v in (m.scores[ALL].per_class[at].recall, m.scores[ALL].per_class[at].f1)
        ]
        body.append(" & ".join([latex_text(name), str(clips[name]), *map(latex_text, cells)]) + r" \\")
    means = [figure(value) for m in members for value in (m.scores[ALL].uar, m.scores[ALL].uf1)]
    body += [r"\midrule", " & ".join(["Mean (UAR, UF1)", str(len(group.clips())), *map(latex_text, means)]) + r" \\"]
    more = f" (part {number + 1})" if number else ""
    caption = f"Recall and F1 by class under {latex_code(group.protocol)}{more}: {_extent(group)}."
    half = rf">{{\raggedleft\arraybackslash}}p{{\dimexpr {width / 2:.3f}\textwidth-\tabcolsep\relax}}"
    columns = r"@{}>{\raggedright\arraybackslash}Xr" + 2 * half * len(members) + "@{}"
    return _table(group, caption, f"tab:classes-{group.slug}-{number}", columns, head, body, _class_notes(group))


def _class_notes(group: Group) -> list[str]:
    notes = []
    if any(len(member.run.seeds) > 1 for member in group.members):
        notes.append("Means over seeds.")
    if group.several:
        notes.append("A clip may hold several classes; the last row counts clips.")
    if group.first.entry.aggregate == "directions":
        notes.append("Means over the directions.")
    return notes


def _rows_of(group: Group, dataset: str) -> list[tuple[Finished, Row]]:
    """The members with their row of the slice, ranked rows first."""
    found = [(one, row) for one in group.members for row in one.rows if row.dataset == dataset]
    return sorted(found, key=lambda pair: (pair[1].stratum, pair[1].rank is None, pair[1].rank or 0, pair[0].title))


def _score_row(group: Group, one: Finished, row: Row, notes: Notes, everywhere: Sequence[str]) -> str:
    own = [remark for remark in _remarks(one, row) if remark not in everywhere]
    cells = [
        latex_name(group.name(one)) + notes.mark(own),
        row.privilege,
        row.selection,
        latex_text(figure(row.uf1, row.uf1_sd)),
        _interval(row.uf1_low, row.uf1_high),
        latex_text(figure(row.uar, row.uar_sd)),
        _interval(row.uar_low, row.uar_high),
        latex_text(figure(row.accuracy)),
        latex_text(figure(row.weighted_f1)),
    ]
    return " & ".join(cells) + r" \\"


def _said_of_all(group: Group) -> tuple[str, ...]:
    """The remarks that every row of the table would bear, where there are several rows."""
    said = [_remarks(one, row) for name in group.slices for one, row in _rows_of(group, name)]
    return tuple(remark for remark in said[0] if all(remark in others for others in said)) if len(said) > 1 else ()


def _begun(remark: str) -> str:
    """The remark as a sentence begins, where it does not begin with a name."""
    return remark[:1].upper() + remark[1:] if remark.partition(" ")[0].isalpha() else remark


def _remarks(one: Finished, row: Row) -> list[str]:
    """What a reader must know beside the figures."""
    said = {
        f"best of {row.tried} configurations tried": row.tried > 1,
        "on a part of the corpora": row.partial,
        f"{figure(row.coverage)} of the clips are predicted; the others count as missed": row.coverage < 1,
        f"{row.classes_scored} of {row.classes} classes scored": 0 < row.classes_scored < row.classes,
        **dict.fromkeys(row.interval_remarks.split("; ") if row.interval_remarks else (), True),
        "selection not declared by the model": row.selection == "undeclared",
    }
    return [*(remark for remark, holds in said.items() if holds), *remarks(one.replications)]


def _interval(low: float, high: float) -> str:
    return latex_text(NONE) if math.isnan(low) else f"{{[}}{figure(low)}, {figure(high)}{{]}}"


def _extent(group: Group) -> str:
    entry = group.first.entry
    annotation = ", ".join(f"{name} {latex_code(version)}" for name, version in sorted(entry.annotations.items()))
    return f"{len(group.clips())} clips of {group.subjects()} subjects ({annotation})"


def _words(group: Group) -> str:
    several = len({row.privilege for one in group.members for row in one.rows}) > 1
    return "Methods of different privilege are not ranked against each other." if several else ""


def _table(
    group: Group, caption: str, label: str, columns: str, head: Sequence[str], body: Sequence[str], notes: Sequence[str]
) -> str:
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{caption.strip()}{warning(group)}}}",
        rf"\label{{{label}}}",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\begin{{tabularx}}{{\textwidth}}{{{columns}}}",
        r"\toprule",
        *head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabularx}",
    ]
    lines += [r"\par\smallskip\raggedright\footnotesize", " ".join(notes)] if notes else []
    return "\n".join([*lines, r"\end{table}", ""])


__all__ = ["class_tables", "scores_table", "warning"]
