"""What somebody's labels mean: names, numbers by value, numbers by order; never by guess."""

from collections.abc import Collection, Mapping, Sequence

from mebench.errors import PredictionError
from mebench.foreign_text import plain_number
from mebench.predictions import LABEL_SEPARATOR, NO_LABEL, joined_labels


def numbered_classes(written: Collection[str], order: Sequence[str], source: str) -> tuple[dict[str, str], list[str]]:
    """The class of each number among the labels written, counted from 0 or from 1 as the file does, and a note.

    `order` names the classes. Raises PredictionError where the numbers used could be either, or fit neither.
    """
    used = {int(text) for text in map(plain_number, written) if text.isdecimal()}
    if not used:
        return {}, []
    k = len(order)
    if {0, k} & used in (set(), {0, k}) or max(used) > k:
        numbers = ", ".join(map(str, sorted(used)[:8]))
        by_value = ",".join(f"{i}={name}" for i, name in enumerate(order))
        raise PredictionError(
            f"{source} holds the numbers {numbers}: whether its {k} classes count from 0 or from 1 cannot be told.",
            f"Give each number's class: --classes {by_value}, or from 1.",
        )
    base = 0 if 0 in used else 1
    meaning = {str(i): name for i, name in enumerate(order, base)}
    said = ", ".join(f"{number}={name}" for number, name in meaning.items())
    return meaning, [f"classes counted from {base}, since the file holds a {base and k}: {said}"]


def class_of(text: str, labels: Mapping[str, str], classes: Sequence[str], where: str) -> str:
    """The class a label stands for, or several joined by `+` in the order of the classes, or `none`.

    Raises PredictionError where a label means nothing.
    """
    whole = _meaning(text, labels)
    if whole is not None or text.casefold() == NO_LABEL:
        return whole or NO_LABEL
    found = [_meaning(part.strip(), labels) for part in text.split(LABEL_SEPARATOR)]
    if None in found:
        number = plain_number(text)
        ordered = " or, classes in the order of its numbers, --classes NAME,NAME,..." if number.isdecimal() else ""
        raise PredictionError(
            f"{where} {text!r} is no class.",
            f"Say what it means: --classes {number}=NAME,...{ordered}; classes: {', '.join(classes)}.",
        )
    return joined_labels(sorted(filter(None, found), key=list(classes).index))


def _meaning(text: str, labels: Mapping[str, str]) -> str | None:
    return labels.get(text) or labels.get(plain_number(text)) or labels.get(text.casefold())
