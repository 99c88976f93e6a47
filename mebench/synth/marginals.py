"""What the calibrated tier is calibrated to: counts that were made over the released workbooks, never a row of them.

Clips per subject, classes per subject, subjects per class, clips per class, sets of action units per class, the share
of one-sided movements: CASME II's coding of 2014-05-08 and SAMM's FACS codes v2. Sets that occur in fewer than four
clips are ours, chosen so that each unit occurs in each class as often as it was counted there; units that are not drawn
here (38, 39, 43 and the like) are left out or stand for by a neighbour.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Sets = Mapping[str, int]
"""Clips per set of units, sets written as in a workbook."""


@dataclass(frozen=True)
class Marginals:
    """The counts of one corpus.

    `sizes` are clips per subject and `kinds` classes per subject, both sorted and over `classes` alone, which map a
    class to its clips and the subjects that hold it. `extras` are the clips of the classes that five-class protocols
    leave out; they fall to anybody. `sets` are the units per class. `ambiguity` is the share of clips whose units are
    drawn from those of all classes: our choice, set by what a simple classifier reaches on true units. `unknown` is the
    share of clips of `unknown_class` whose units the coder left open.
    """

    sizes: tuple[int, ...]
    kinds: tuple[int, ...]
    classes: Mapping[str, tuple[int, int]]
    extras: Mapping[str, int]
    sets: Mapping[str, Sets]
    one_sided: float
    ambiguity: float
    unknown_class: str = ""
    unknown: float = 0.0


MARGINALS: Mapping[str, Marginals] = {
    "casme2": Marginals(
        sizes=(34, 19, 16, 15, 13, 13, 13, 12, 12, 11, 10, 9, 9, 8, 7, 7, 7, 5, 5, 4, 4, 3, 3, 3, 2, 2),
        kinds=(5, *[4] * 6, *[3] * 8, *[2] * 8, 1, 1, 1),
        classes={
            "happiness": (32, 14),
            "disgust": (63, 16),
            "repression": (27, 8),
            "surprise": (25, 10),
            "others": (99, 24),
        },
        extras={"sadness": 7, "fear": 2},
        sets={
            "happiness": {
                "12": 15, "6+12": 6, "14": 3, "15": 1, "6": 1, "1+12": 1, "12+14": 1, "12+15": 1, "4+12+14": 1,
                "6+12+17": 1, "7+12+15": 1,
            },
            "disgust": {
                "4": 12, "4+7": 20, "4+10": 9, "4+9": 4, "9": 3, "7+10": 1, "4+7+10": 4, "4+9+10": 2, "4+7+9": 3,
                "4+5+10": 1, "4+5+7": 1, "4+6+7": 1, "4+6+9": 1, "2+4+15+17": 1,
            },
            "repression": {
                "17": 13, "15": 4, "15+17": 4, "14": 2, "12+15": 1, "12+17": 1, "14+15": 1, "4+14+15+17": 1,
            },
            "surprise": {"1+2": 13, "1": 4, "2": 4, "2+12": 1, "2+14": 1, "1+2+25": 1, "25": 1},
            "others": {
                "4": 60, "14": 15, "17": 4, "4+7": 3, "4+12": 3, "7+24": 2, "12": 1, "15": 1, "6": 2, "7": 1,
                "4+7+14": 1, "25": 1,
            },
            "sadness": {"1+4": 5, "1": 1, "15": 1},
            "fear": {"4": 1, "20": 1},
        },
        one_sided=0.19,
        ambiguity=0.0,
        unknown_class="others",
        unknown=0.05,
    ),
    "samm": Marginals(
        sizes=(15, 12, 10, 9, 9, 9, 6, 6, 6, 5, 5, 5, 4, 4, 4, 3, 3, 3, 3, 3, 3, 2, 2, 2, 1, 1, 1),
        kinds=(*[4] * 4, *[3] * 4, *[2] * 10, *[1] * 9),
        classes={
            "anger": (57, 19),
            "happiness": (26, 8),
            "surprise": (15, 11),
            "contempt": (12, 8),
            "other": (26, 11),
        },
        extras={"disgust": 9, "fear": 8, "sadness": 6},
        sets={
            "anger": {"7": 35, "4": 16, "4+7": 4, "4+6+7": 1, "4+7+17": 1},
            "happiness": {"12": 19, "6+12": 2, "7+12": 2, "2+6+12": 1, "7+12+24": 1, "12+25": 1},
            "surprise": {"5": 8, "1+2": 3, "25": 1, "5+24": 1, "1+14": 1, "2+20": 1},
            "contempt": {"14": 6, "12+14": 2, "14+17": 2, "14+17+25": 1, "14+20": 1},
            "other": {"2": 13, "24": 5, "20": 3, "25": 2, "23": 2, "4+24+25": 1},
            "disgust": {"9": 6, "4+9+10": 3},
            "fear": {"1+2+4": 5, "20": 3},
            "sadness": {"15": 3, "12+15": 3},
        },
        one_sided=0.26,
        ambiguity=0.11,
    ),
}  # fmt: skip

__all__ = ["MARGINALS", "Marginals", "Sets"]
