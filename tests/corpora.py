"""Corpora that carry the published marginal distributions of the real ones, and no row of theirs.

Every count here is published: clips per subject, per emotion, per objective class and per subject and protocol; how
many subjects hold a class; how often an action unit and a set of units occurs per emotion; lengths; the clips whose
annotation is odd. From these counts one joint table was solved (integer programming) and is kept below as counts per
subject and cell; which clip bears which label was drawn from a seeded generator. No clip agrees with its real
namesake but by chance or where its oddity is public.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from mebench.synth.workbooks import (
    Generation,
    LongRow,
    Row,
    casme2_workbook,
    objective_2017_workbook,
    samm_workbook,
    smic_e_workbook,
)

# Subject, then `emotion:objective class=clips` (the classes of 2017 for CASME II).
CASME2_CELLS = """
01 disgust:IV=1 happiness:I=1 others:III=6 surprise:II=1
02 disgust:III=2 disgust:IV=2 happiness:VII=5 others:III=4
03 others:II=1 others:VII=1 surprise:II=4 surprise:VII=1
04 disgust:IV=1 others:III=2 surprise:II=1 surprise:VII=1
05 disgust:III=1 happiness:I=1 others:III=9 others:VII=3 repression:IV=1 repression:V=2 repression:VII=1 surprise:VII=1
06 disgust:III=1 disgust:IV=1 happiness:I=1 others:III=1 repression:V=1
07 happiness:I=1 others:III=4 repression:V=3 surprise:II=1
08 disgust:IV=1 others:III=1 others:VII=1
09 happiness:I=2 happiness:VII=1 others:I=1 others:III=2 repression:VII=7 sadness:V=1
10 others:III=1 others:VII=12 sadness:V=1
11 others:III=6 repression:VII=4
12 disgust:III=8 happiness:I=2 happiness:VII=1 others:III=1
13 others:III=6 repression:VII=2
14 disgust:VII=1 happiness:I=1 others:I=1 surprise:V=1
15 disgust:IV=1 disgust:VII=2
16 disgust:IV=1 others:V=1 surprise:II=1 surprise:VII=1
17 disgust:III=19 fear:III=1 happiness:I=3 happiness:V=1 others:III=3 sadness:V=1 surprise:II=4 surprise:V=2
surprise:VII=2 18 others:III=3
19 disgust:IV=11 fear:VI=1 others:VII=4
20 disgust:IV=1 happiness:VII=1 others:VII=9
21 disgust:IV=1 others:VII=1
22 happiness:I=1 repression:V=1
23 disgust:III=3 disgust:IV=3 happiness:I=2 others:III=4
24 happiness:I=1 others:III=4 sadness:V=3 surprise:II=2
25 others:III=2 repression:VII=5
26 disgust:III=1 disgust:IV=1 happiness:I=7 others:III=4 others:VII=1 sadness:V=1 surprise:V=1 surprise:VII=1
"""

CASME2_UNITS = """
disgust:III 4=12 4+10=1 4+6+7=2 4+7=20
disgust:IV 4+10=8 4+5+10=2 4+7+10=3 4+7+9=2 4+9=4 4+9+10=2 4+9+17=1 7+10=1 9=2
disgust:VII 2+4+7+15=1 4+6+9=1 7+9+14=1
fear:III 4=1
fear:VI 20=1
happiness:I 12=15 6=1 6+12=6 6+12+17=1
happiness:V 15=1
happiness:VII 1+12=1 12+14+15=1 12+20=1 14=3 4+12+14=1 7+12+15=1
others:I 12=1 6=1
others:II 25=1
others:III 4=60 4+7=3
others:V 15=1
others:VII 14=15 17=4 4+12=3 4+7+14=1 6+38=1 7=1 7+24=2 ?=5
repression:IV 15=1
repression:V 15=3 15+17=4
repression:VII 12+15=1 12+17=1 14=2 14+15=1 17=13 4+14+15+17=1
sadness:V 1+4=7
surprise:II 1+2=13 1+2+25=1
surprise:V 1=4
surprise:VII 18=1 2=3 2+12=1 2+14=1 2+38=1
"""

SAMM_CELLS = """
006 anger:VII=9 fear:VI=2
007 anger:VII=4 others:VII=2 sadness:V=2 sadness:VII=2
009 anger:III=1 sadness:V=1 surprise:II=2
010 anger:III=1 anger:VII=2 surprise:II=1
011 contempt:I=1 disgust:IV=4 disgust:VII=1 happiness:I=12 surprise:II=2
012 fear:VI=2 surprise:II=1
013 anger:III=1 anger:VII=5
014 anger:VII=3 contempt:VII=1 happiness:I=3 happiness:VII=2 others:VII=1 sadness:VII=1
015 anger:III=1 contempt:VII=1 happiness:I=1
016 anger:III=1 anger:VII=3 surprise:II=1
017 anger:III=1 anger:VII=1 contempt:VII=1 others:VII=2 surprise:II=1
018 anger:III=1 happiness:I=1 others:VII=1 surprise:II=1
019 anger:VII=1 others:VII=2
020 anger:III=1 anger:VII=2 happiness:I=1 others:VII=5
021 anger:III=1 anger:VII=1
022 anger:III=1 disgust:IV=3 surprise:II=1
023 contempt:VII=1
024 fear:VI=1
025 others:VII=4
026 anger:III=6 anger:VII=2 fear:VII=1 others:VII=4
028 anger:III=1 anger:VII=1 fear:VI=1
030 anger:III=2 anger:VII=1
031 happiness:VII=1
032 fear:VI=1 happiness:I=1 others:VII=2 surprise:II=2
033 anger:III=1 happiness:I=4
034 contempt:VII=1 surprise:II=1 surprise:VII=1
035 anger:VII=2 contempt:VII=5 others:VII=1 surprise:VII=1
036 disgust:IV=1
037 contempt:VII=1 others:VII=2
"""

SAMM_UNITS = """
anger:III 4=13 4+26+43=2 4+6+7=1 4+7=4
anger:VII 4+7+17+43+56=1 56=2 7=31 7+43=3
contempt:I 12+14=1
contempt:VII 12+14=1 14=6 14+17=1 14+17+20+24=1 14+17+25=1 14+20=1
disgust:IV 4+9+10=2 9=6
disgust:VII 4+9+10=1
fear:VI 1+2+4=4 45=3
fear:VII 45=1
happiness:I 12=15 12+13=1 12+61=3 6+12=2 7+12=2
happiness:VII 12+25+39=1 2+6+12=1 7+12+24=1
others:VII 13+39=2 18=3 18+25+39=1 2=13 24=5 26+39=1 4+24+25=1
sadness:V 15=3
sadness:VII 12+15=3
surprise:II 1+2=3 25=1 5=8 5+24=1
surprise:VII 1+14=1 2+20=1
"""

SMIC_CELLS = """
1 ne=3 po=2 sur=1
2 ne=1 po=0 sur=5
3 ne=21 po=17 sur=1
4 ne=6 po=1 sur=12
5 ne=1 po=0 sur=1
6 ne=2 po=1 sur=1
8 ne=12 po=1 sur=0
9 ne=1 po=1 sur=2
11 ne=5 po=2 sur=0
12 ne=4 po=4 sur=1
13 ne=1 po=9 sur=0
14 ne=0 po=10 sur=0
15 ne=3 po=1 sur=0
18 ne=3 po=1 sur=3
19 ne=1 po=1 sur=0
20 ne=6 po=0 sur=16
"""

CLASSES = {"ne": "negative", "po": "positive", "sur": "surprise"}
VIS_SUBJECTS = frozenset({11, 12, 13, 14, 15, 18, 19, 20})


@dataclass(frozen=True)
class Pin:
    """A clip whose name is public because something about it is odd; what is None is drawn."""

    subject: str
    name: str
    emotion: str | None = None
    objective: str | None = None
    units: str | None = None
    text: str | None = None
    frames: tuple[int, int | None, int] | None = None


CASME2_PINS = (
    Pin("04", "EP12_01f", "disgust", frames=(261, None, 321)),
    Pin("05", "EP09_05f", "disgust", frames=(69, 69, 123)),
    Pin("05", "EP05_03", "others", "VII", "?", "?"),
    Pin("05", "EP07_01", "others", "VII", "?", "?"),
    Pin("05", "EP13_04f", "others", "VII", "?", "?"),
    Pin("19", "EP11_01f", "others", "VII", "?", "?"),
    Pin("26", "EP13_01", "others", "VII", "?", "?"),
    Pin("05", "EP05_09", "repression", "IV", "15", "15"),
    Pin("12", "EP01_02", "disgust", "III", "4+10", "4+10"),
    Pin("19", "EP16_01", "disgust", "IV", "4+9+10", "4+9+10"),
    Pin("19", "EP16_02", "disgust", "IV", "4+9+10", "4+9+10"),
    Pin("23", "EP02_01", "happiness", "I", "6+12+17", "6+12+17"),
    Pin("24", "EP07_01", "sadness"),
    Pin("24", "EP07_04f", "sadness"),
    Pin("24", "EP10_03", "sadness"),
    Pin("05", "EP12_03f", "surprise"),
    *(Pin(*key.split("/")) for key in "05/EP16_04f 12/EP09_06 20/EP16_01 25/EP18_04f".split()),
    *(Pin(*key.split("/")) for key in "03/EP01_2 03/EP08_1 07/EP06_02_01 07/EP06_02_02 07/EP06_01 09/EP09f".split()),
    Pin("16", "EP01_08"),
)
APEX_AT_OFFSET = frozenset({("05", "EP16_04f"), ("12", "EP09_06"), ("20", "EP16_01"), ("25", "EP18_04f")})

SAMM_PINS = (
    Pin("006", "006_5_10", "fear", "VI", "45"),
    Pin("012", "012_3_1", "fear", "VI", "45"),
    Pin("012", "012_3_2", "fear", "VI", "45"),
    Pin("011", "011_2_1", "disgust", "IV", "4+9+10"),
    Pin("036", "036_7_3", "disgust", "IV", "4+9+10"),
    Pin("011", "011_3_4", "happiness", "I", "12+61"),
    Pin("011", "011_4_2", "contempt", "I", "12+14", "L12 or L14"),
    Pin("014", "014_3_4", "happiness", "I", "12+61", "L12 + 61"),
    Pin("020", "020_4_2", "happiness", "I", "12+61"),
    Pin("033", "033_1_3", "happiness", "I", "12+13"),
    Pin("026", "026_2_2", "anger", "III", "4+26+43"),
    Pin("026", "026_2_3", "anger", "III", "4+26+43"),
    Pin("007", "007_6_1", "sadness", "VII", "12+15", "(R6 or R12)+R15"),
    Pin("007", "007_6_5", "sadness", "VII", "12+15", "(R6 or R12)+R15"),
    Pin("014", "014_5_2", "contempt", "VII", "12+14", "R12 or R14"),
    Pin("035", "035_7_2", "contempt", "VII", "14+17+20+24", "R14A or 17A or 24A"),
    Pin("035", "035_7_1", "contempt", "VII", "14+17", "R14+17+soft focus"),
    Pin("014", "014_6_3", "happiness", "I", "12", "A/L12"),
    Pin("011", "011_6_1", "disgust", "VII", "4+9+10", "4+9+10A/B"),
    Pin("030", "030_1_1", "anger", "III", "4", "4A/B"),
    Pin("020", "020_7_1", "anger", "VII", "7+43", "ref(7B)+43"),
    Pin("021", "021_7_1", "anger", "VII", "7+43", "7B+ ref(43)"),
    Pin("014", "014_7_1", "happiness", "VII", "7+12+24", "L7+12A+24"),
    Pin("018", "018_3_1", "others", "VII", "18", "T18"),
    Pin("028", "028_4_1", frames=(1071, 1143, 1134)),
    Pin("032", "032_3_1", frames=(4896, 1930, 4970)),
    Pin("032", "032_3_2", frames=(5090, 5127, 5160)),
)
SAMM_INDUCEMENTS = {1: 27, 2: 18, 3: 31, 4: 21, 5: 19, 6: 17, 7: 26}

# 2017 -> 2019 objective classes: the net difference of the two columns' totals is 19 moves, and 37 clips differ in all.
OBJECTIVE_MOVES = {
    ("IV", "I"): 5, ("IV", "II"): 3, ("IV", "VII"): 3, ("III", "VII"): 15,
    ("V", "VII"): 1, ("V", "VI"): 1, ("VII", "III"): 9,
}  # fmt: skip


@cache
def casme2_rows(generation: Generation = "coding-20140508") -> tuple[Row, ...]:
    """CASME II: 255 rows (256 in the updated workbook); `objective` is the class of 2017, or of 2019 in that
    generation.
    """
    rows = _casme2_2014()
    if generation == "coding-20190701":
        return _casme2_2019(rows)
    if generation == "coding-updated":
        # 21 apexes are missing there: the one that always was, and 20 more.
        lost = {r.name for r in rows if r.subject == "17"}
        kept = [replace(r, apex=None) if r.subject == "17" and r.name in sorted(lost)[:20] else r for r in rows]
        return _sorted([*kept, Row("24", "EP02_07", 61, 91, 106, "4+9", "disgust", "IV")])
    return rows


@cache
def samm_rows() -> tuple[Row, ...]:
    """SAMM: 159 rows."""
    rng = random.Random(159)
    drawn = _deal(SAMM_CELLS, SAMM_UNITS, SAMM_PINS, rng)
    texts = _texts(drawn, rng, unilateral=35, unilateral_singles=25, numbers=37)
    pinned = {pin.name: pin for pin in SAMM_PINS}
    names = _samm_names([clip.subject for clip in drawn], [clip.name for clip in drawn], rng)
    lengths = _lengths(159, 11_816, (30, 38, 60, 78, 90, 100, 101), [p.frames for p in SAMM_PINS if p.frames], rng)
    rows = []
    for clip, text, name in zip(drawn, texts, names, strict=True):
        pin = pinned.get(name)
        onset, apex, offset = pin.frames if pin and pin.frames else _frames(next(lengths), rng, first=150, last=9_900)
        code = int(name.split("_")[1])
        emotion = "other" if clip.emotion == "others" else clip.emotion
        rows.append(Row(clip.subject, name, onset, apex, offset, text, emotion, clip.objective, code))
    return _sorted(rows)


@cache
def smic_clips() -> tuple[tuple[int, str, str, int, int], ...]:
    """SMIC-HS: 164 clips as (subject, name, class, first frame, last frame)."""
    rng = random.Random(164)
    lengths = _lengths(164, 5_527, (11, 18, 26, 33, 41, 50, 58), [], rng)
    clips = []
    for subject, cells in _table(SMIC_CELLS).items():
        first = 17_581_000 if subject == "20" else rng.randrange(1_000, 600_000)
        for code, count in cells.items():
            for number in range(1, count + 1):
                last = first + next(lengths) - 1
                clips.append((int(subject), f"s{subject}_{code}_{number:02d}", CLASSES[code], first, last))
                first = last + rng.randrange(50, 400)
    return tuple(clips)


# Clips of SMIC-HS that SMIC-E lost, and those that it lists as later events of another clip.
SMIC_LOST = frozenset({"s1_ne_02", "s2_sur_05", "s3_ne_20"})
SMIC_MERGED = {"s3_ne_02": ("s3_ne_03",), "s4_ne_04": ("s4_ne_05", "s4_ne_06"), "s9_sur_01": ("s9_sur_02",)}
SMIC_FURTHER_EVENTS = ("s8_ne_01", "s11_ne_01", "s12_po_01", "s20_sur_01")


@cache
def smic_e_rows(modality: str = "hs") -> tuple[LongRow, ...]:
    """SMIC-E: 157 rows for `hs`, 71 for `vis` and `nir` (a quarter of the frames), eight of the HS rows with later
    events.
    """
    merged = {name for names in SMIC_MERGED.values() for name in names}
    spans = {name: (first, last) for _, name, _, first, last in smic_clips()}
    rows = []
    for subject, name, emotion, onset, offset in smic_clips():
        if modality == "hs" and (name in SMIC_LOST or name in merged):
            continue
        if modality != "hs":
            if subject in VIS_SUBJECTS:
                on, off = onset // 4, offset // 4
                label = "negative" if name == "s18_sur_03" else emotion
                rows.append(LongRow(f"s{subject}", name, on, off, label, on - 20, off + 20))
            continue
        later = tuple(spans[other] for other in SMIC_MERGED.get(name, ()))
        if name in SMIC_FURTHER_EVENTS:
            later = ((offset + 5, offset + 25),)
        if name == "s9_sur_01":
            later *= 2
        if name == "s18_sur_03":
            emotion, later = "negative", ((onset - 30, onset - 10),)
        rows.append(LongRow(f"s{subject}", name, onset, offset, emotion, onset - 60, offset + 60, later, -118_996))
    return tuple(rows)


def write_casme2(root: Path, generation: Generation = "coding-20140508", *, objective: bool = True) -> Path:
    """Writes the coding workbook, and the objective classes of 2017 beside it; returns the coding workbook."""
    path = root / f"CASME2-{generation}.xlsx"
    casme2_workbook(path, casme2_rows(generation), generation)
    if objective:
        objective_2017_workbook(root / "CASME2-ObjectiveClasses.xlsx", casme2_rows())
    return path


def write_samm(root: Path, header_row: int = 14) -> Path:
    """Writes the SAMM workbook and returns it."""
    path = root / "SAMM_Micro_FACS_Codes_v2.xlsx"
    samm_workbook(path, samm_rows(), header_row)
    return path


def write_smic(root: Path, modalities: Sequence[str] = ("HS",), *, every_frame: bool = False) -> Path:
    """Writes the tree of trimmed clips with empty files for frames, the first and last of each clip or every one."""
    for modality in modalities:
        for subject, name, emotion, first, last in smic_clips():
            if modality != "HS":
                if subject not in VIS_SUBJECTS:
                    continue
                first, last = first // 4, last // 4
            folder = root / "SMIC_all_raw" / modality / f"s{subject}" / "micro" / emotion / name
            folder.mkdir(parents=True)
            for number in range(first, last + 1) if every_frame else (first, last):
                (folder / f"image{number:06d}.bmp").touch()
    return root


def write_smic_e(root: Path) -> Path:
    """Writes the SMIC-E workbook and returns it."""
    path = root / "SMIC-HS-E_annotation.xlsx"
    smic_e_workbook(path, smic_e_rows("hs"), smic_e_rows("vis"))
    return path


@dataclass(frozen=True)
class Drawn:
    """A clip before it has frames; `name` and `text` where they are public."""

    subject: str
    emotion: str
    objective: str
    units: str
    name: str | None = None
    text: str | None = None


def _table(text: str) -> dict[str, Counter[str]]:
    """Counts by row and cell; a word without `=` begins a row."""
    table: dict[str, Counter[str]] = {}
    row = ""
    for word in text.split():
        name, is_cell, count = word.rpartition("=")
        if is_cell:
            table[row][name] = int(count)
        else:
            row = word
            table[row] = Counter()
    return table


def _deal(cells: str, units: str, pins: Iterable[Pin], rng: random.Random) -> list[Drawn]:
    """One clip per count of the table of cells, its units drawn from the cell's deck; the pinned ones first."""
    places, decks = _table(cells), _table(units)
    drawn = []
    # The pins that say most choose first, so that the free ones cannot take what these need.
    for pin in sorted(pins, key=lambda p: (p.units is None, p.emotion is None, p.subject, p.name)):
        open_cells = [c for c, n in places[pin.subject].items() if n and _fits(pin, c)]
        cell = rng.choice(sorted(open_cells))
        picked = pin.units or rng.choice(sorted((decks[cell] - Counter({"?": 5})).elements()))
        places[pin.subject][cell] -= 1
        decks[cell][picked] -= 1
        drawn.append(Drawn(pin.subject, *cell.split(":"), picked, pin.name, pin.text))
    rest = {cell: list((+deck).elements()) for cell, deck in decks.items()}
    for deck in rest.values():
        rng.shuffle(deck)
    for subject, counts in places.items():
        drawn += [Drawn(subject, *cell.split(":"), rest[cell].pop()) for cell in sorted((+counts).elements())]
    assert not any(rest.values())
    return sorted(drawn, key=lambda clip: clip.subject)


def _fits(pin: Pin, cell: str) -> bool:
    emotion, objective = cell.split(":")
    return pin.emotion in (None, emotion) and pin.objective in (None, objective)


def _texts(
    drawn: Sequence[Drawn], rng: random.Random, unilateral: int, unilateral_singles: int, numbers: int
) -> list[str]:
    """The cells' texts: so many on one side of the face (and of these so many single units), so many plain numbers."""
    free = [i for i, clip in enumerate(drawn) if clip.text is None and clip.units != "?"]
    rng.shuffle(free)
    single = [i for i in free if "+" not in drawn[i].units]
    several = [i for i in free if "+" in drawn[i].units]
    sided = {*single[:unilateral_singles], *several[: unilateral - unilateral_singles]}
    plain = sum(1 for clip in drawn if clip.text is not None and clip.text.isdecimal())
    graded = set(single[unilateral_singles : len(single) - (numbers - plain)])
    texts = []
    for i, clip in enumerate(drawn):
        text = clip.text or clip.units
        if i in sided:
            side = rng.choice("LR")
            text = "+".join(side + unit for unit in text.split("+"))
        texts.append(text + rng.choice("ABC") if i in graded else text)
    return texts


def _lengths(
    n: int, total: int, points: Sequence[int], taken: Iterable[tuple[int, int | None, int]], rng: random.Random
) -> Iterator[int]:
    """Lengths with the given minimum, 5/25/50/75/95 % quantiles and maximum that sum to the total with those taken
    already.
    """
    used = [offset - onset + 1 for onset, _, offset in taken]
    count, goal = n - len(used), total - sum(used)
    shares = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
    lengths = []
    for i in range(count):
        q = i / (count - 1)
        k = max(j for j in range(6) if shares[j] <= q)
        lengths.append(round(points[k] + (q - shares[k]) / (shares[k + 1] - shares[k]) * (points[k + 1] - points[k])))
    middle = list(range(count // 4, 3 * count // 4))
    while difference := goal - sum(lengths):
        for i in rng.sample(middle, min(abs(difference), len(middle))):
            lengths[i] += 1 if difference > 0 else -1
    rng.shuffle(lengths)
    return iter(lengths)


def _frames(length: int, rng: random.Random, first: int, last: int) -> tuple[int, int, int]:
    onset = rng.randrange(first, last)
    apex = onset + min(max(1, round(length * rng.triangular(0.15, 0.85, 0.5))), length - 2)
    return onset, apex, onset + length - 1


def _casme2_2014() -> tuple[Row, ...]:
    rng = random.Random(255)
    drawn = _deal(CASME2_CELLS, CASME2_UNITS, CASME2_PINS, rng)
    texts = _texts(drawn, rng, unilateral=47, unilateral_singles=_surplus_singles(drawn, 133), numbers=133)
    pinned = {(pin.subject, pin.name): pin for pin in CASME2_PINS}
    names = _casme2_names(drawn)
    lengths = _lengths(255, 17_138, (24, 36, 51, 65, 86, 100, 141), [p.frames for p in CASME2_PINS if p.frames], rng)
    rows = []
    for clip, text, name in zip(drawn, texts, names, strict=True):
        pin = pinned.get((clip.subject, name))
        onset, apex, offset = pin.frames if pin and pin.frames else _frames(next(lengths), rng, first=20, last=400)
        if (clip.subject, name) in APEX_AT_OFFSET:
            apex = offset
        rows.append(Row(clip.subject, name, onset, apex, offset, text, clip.emotion, clip.objective))
    return _sorted(rows)


def _surplus_singles(drawn: Sequence[Drawn], numbers: int) -> int:
    """How many single units have to be one-sided so that `numbers` cells are plain numbers."""
    return sum(1 for clip in drawn if clip.units.isdecimal()) - numbers


def _casme2_names(drawn: Sequence[Drawn]) -> list[str]:
    """Names for the clips without one: 167 distinct, 53 of them borne by clips of several people."""
    room = Counter(clip.subject for clip in drawn if clip.name is None)
    public = Counter(clip.name for clip in drawn if clip.name)
    names = (f"EP{a:02d}_{b:02d}{f}" for b in range(1, 10) for a in range(1, 20) for f in ("f", ""))
    pool = (name for name in names if not public[name])
    shared = 53 - sum(1 for n in public.values() if n > 1)
    uses = 255 - (167 - 53) - sum(n for n in public.values() if n > 1)
    given: dict[str, list[str]] = defaultdict(list)
    for i in range(shared):
        name = next(pool)
        for subject, _ in room.most_common(uses // shared + (i < uses % shared)):
            given[subject].append(name)
            room[subject] -= 1
    for subject, n in room.items():
        given[subject] += [next(pool) for _ in range(n)]
    return [clip.name or given[clip.subject].pop() for clip in drawn]


def _samm_names(subjects: Sequence[str], names: Sequence[str | None], rng: random.Random) -> list[str]:
    """Names `subject_inducement_number` whose inducement codes have the published totals."""
    left = Counter(SAMM_INDUCEMENTS) - Counter(int(name.split("_")[1]) for name in names if name)
    codes = list(left.elements())
    rng.shuffle(codes)
    taken = {name for name in names if name}
    found = []
    for subject, name in zip(subjects, names, strict=True):
        if name is None:
            code = codes.pop()
            name = next(n for n in (f"{subject}_{code}_{i}" for i in range(1, 30)) if n not in taken)
            taken.add(name)
        found.append(name)
    return found


def _casme2_2019(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The generation of 2019: three clips change from sadness to surprise, 57 action-unit strings and 37 classes
    differ.
    """
    rng = random.Random(2019)
    moved: dict[tuple[str, str], str] = {}
    for (old, new), count in OBJECTIVE_MOVES.items():
        pool = [(r.subject, r.name) for r in rows if r.objective == old and (r.subject, r.name) not in moved]
        moved |= dict.fromkeys(rng.sample(pool, count), new)
    unknown = [(r.subject, r.name) for r in rows if r.action_units == "?"]
    known = [(r.subject, r.name) for r in rows if r.action_units != "?"]
    changed = {*unknown, *rng.sample(known, 57 - len(unknown))}
    surprised = {("24", "EP07_01"), ("24", "EP07_04f"), ("24", "EP10_03")}
    return tuple(
        replace(
            row,
            action_units=_recoded(row.action_units) if (row.subject, row.name) in changed else row.action_units,
            emotion="surprise" if (row.subject, row.name) in surprised else row.emotion,
            objective=moved.get((row.subject, row.name), row.objective),
        )
        for row in rows
    )


def _recoded(units: str) -> str:
    """Another string for the units: a side added, or taken away; a unit where there was none."""
    if units == "?":
        return "14"
    bare = re.sub("[LR]", "", units)
    return bare if bare != units else "L" + units


def _sorted(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: (row.subject, row.name)))
