"""An annotation against itself: ranges, action units and emotions, and labels that stand alone."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from mebench.audit.findings import Finding, Verdict, listed
from mebench.clips import Clip, ClipTable
from mebench.facs import ObjectiveClass, objective_class

SHORTEST, LONGEST_S = 3, 2.0
"""Frames and seconds. Below three frames nothing moves there and back; micro-expressions last half a second by most
definitions and those of the corpora under one, with CASME II's longest coded clip at .7 s and SMIC's fuzzy ends."""
FITTING: Mapping[ObjectiveClass, frozenset[str]] = {
    "I": frozenset({"happiness", "positive"}),
    "II": frozenset({"surprise"}),
    "III": frozenset({"anger", "disgust", "negative"}),
    "IV": frozenset({"disgust", "anger", "negative"}),
    "V": frozenset({"sadness", "negative"}),
    "VI": frozenset({"fear", "negative"}),
}
"""Emotions that an objective class of that name goes with (Davison et al., J. Imaging 2018, after EMFACS).

A choice: disgust and anger share III and IV, because CASME II, which has no anger, labels brow lowering as disgust."""
DECIDED = frozenset().union(*FITTING.values()) - {"positive", "negative"}
"""Emotions that claim a class; `others`, `repression`, `contempt` and `tense` claim none."""
FEWEST_ALIKE, CLEAR = 4, 0.75
"""How many clips must share a set of action units, and what share of them one emotion, for the others to stand out."""


def ranges(table: ClipTable) -> Finding:
    """Whether onset, apex and offset are in order, and clips as long as such clips are."""
    wrong, odd = [], []
    for clip in table:
        if clip.apex is not None and not clip.onset <= clip.apex <= clip.offset:
            wrong.append(f"{clip.id}: apex {clip.apex} outside {clip.onset} to {clip.offset}")
        if clip.length < SHORTEST or clip.length > LONGEST_S * clip.fps:
            odd.append(f"{clip.id}: {clip.length} frames at {clip.fps:g} fps")
    if wrong:
        return Finding("ranges", "caught", listed(wrong), len(wrong), "clips", tuple(wrong + odd))
    if odd:
        return Finding("ranges", "reported", f"unusual lengths: {listed(odd)}", len(odd), "clips", tuple(odd))
    return Finding("ranges", "clean", "onset, apex and offset in order, lengths usual", 0.0, "clips")


def overlaps(table: ClipTable, folders: Mapping[str, str]) -> Finding:
    """Whether two clips are cut from the same frames; `folders` says where the frames of a clip lie.

    Clips with frames in one folder, or with one name of one subject where no frames are at hand, are of one recording.
    """
    recordings: dict[str, list[Clip]] = defaultdict(list)
    for clip in table:
        recordings[folders.get(clip.id) or f"{clip.subject} {clip.name}"].append(clip)
    found, crossing = [], False
    for clips in recordings.values():
        ordered = sorted(clips, key=lambda clip: clip.onset)
        for i, first in enumerate(ordered):
            for second in ordered[i + 1 :]:
                if second.onset <= first.offset:
                    differs = first.subject != second.subject or first.emotion != second.emotion
                    crossing |= differs
                    mark = ", labelled or named otherwise" if differs else ""
                    found.append(f"{first.id} and {second.id} share frames from {second.onset}{mark}")
    if found:
        verdict: Verdict = "caught" if crossing else "reported"
        return Finding("overlaps", verdict, listed(found), len(found), "pairs", tuple(found))
    return Finding("overlaps", "clean", "no two clips share frames of a recording", 0.0, "pairs")


def units(table: ClipTable) -> Finding:
    """Whether the emotion contradicts the action units by the objective-class rule; candidates for a second look."""
    coded = [clip for clip in table if clip.action_units.text]
    if not coded:
        return Finding("units", "not applicable", f"{table.dataset} codes no action units")
    found = []
    for clip in coded:
        objective = objective_class(clip.action_units)
        if clip.emotion in DECIDED and objective != "VII" and clip.emotion not in FITTING[objective]:
            found.append(f"{clip.id}: {clip.action_units.text} (class {objective}) is called {clip.emotion}")
    said = f"{len(found)} of {len(coded)} clips contradict the rule" + (f": {listed(found)}" if found else "")
    return Finding("units", "reported" if found else "clean", said, len(found) / len(coded), "share", tuple(found))


def objective(table: ClipTable) -> Finding:
    """Whether released objective classes are those of the published rule; releases are known to depart from it."""
    released = [clip for clip in table if clip.objective_source == "released" and clip.action_units.text]
    if not released:
        return Finding("objective", "not applicable", "no objective class is released")
    found = [
        f"{clip.id}: {clip.action_units.text} is class {rule}, released as {clip.objective_class}"
        for clip in released
        if (rule := objective_class(clip.action_units)) != clip.objective_class
    ]
    said = f"{len(found)} of {len(released)} differ from the rule" + (f": {listed(found)}" if found else "")
    return Finding(
        "objective", "reported" if found else "clean", said, len(found) / len(released), "share", tuple(found)
    )


def noise(table: ClipTable) -> Finding:
    """Clips called otherwise than most clips of the same action units: candidates of label noise, nothing more."""
    by_set: dict[frozenset[int], list[Clip]] = defaultdict(list)
    for clip in table:
        if clip.action_units.base and not clip.action_units.unresolved:
            by_set[clip.action_units.base].append(clip)
    large = {units: clips for units, clips in by_set.items() if len(clips) >= FEWEST_ALIKE}
    if not large:
        return Finding("noise", "not applicable", f"no set of action units occurs in {FEWEST_ALIKE} clips")
    found, judged = [], 0
    for numbers, clips in sorted(large.items(), key=lambda pair: -len(pair[1])):
        (usual, times), *_ = Counter(clip.emotion for clip in clips).most_common(1)
        judged += len(clips)
        if times / len(clips) >= CLEAR:
            beside = f"{times} of {len(clips)} clips of AU {'+'.join(map(str, sorted(numbers)))} are {usual}"
            found += [f"{clip.id}: {clip.emotion}, where {beside}" for clip in clips if clip.emotion != usual]
    said = f"{len(found)} of {judged} clips" + (f": {listed(found)}" if found else " stand alone")
    return Finding("noise", "reported" if found else "clean", said, len(found) / judged, "share", tuple(found))


def agreement(table: ClipTable) -> float:
    """The share of clips that whoever calls every set of action units by its commonest emotion gets right."""
    by_set: dict[frozenset[int], Counter[str]] = defaultdict(Counter)
    for clip in table:
        by_set[clip.action_units.base][clip.emotion] += 1
    return float(np.sum([max(counts.values()) for counts in by_set.values()]) / max(1, len(table)))


__all__ = ["agreement", "noise", "objective", "overlaps", "ranges", "units"]
