"""What the user asked for, checked before anything is drawn."""

import math

from mebench.errors import UnknownName, UsageError
from mebench.synth.calibrated import full_size
from mebench.synth.expressions import MENUS
from mebench.synth.layouts import LAYOUTS
from mebench.synth.marginals import MARGINALS
from mebench.synth.plan import Settings
from mebench.synth.renderers import PORTRAIT, RENDERERS
from mebench.synth.shots import CALIBRATED, STRESS, TIERS
from mebench.synth.stress import CONFOUNDED, require_level

MOST_AMPLITUDE_PX = 3.0
"""Twice this, the strongest clip's peak, is as far as skin moves here without folding."""

AMPLITUDE_PX = {"smoke": 1.0, "stress": 1.0, "calibrated": 1.1}
"""The median peak where none is asked for; the calibrated tier's was set by what LBP-TOP reaches on it."""

_SUBJECTS = 8


def settings_of(
    dataset: str,
    *,
    tier: str,
    renderer: str = PORTRAIT,
    factor: str = "",
    level: float | None = None,
    subjects: int | None = None,
    clips: int | None = None,
    amplitude: float | None = None,
    seed: int = 0,
) -> Settings:
    """The settings, defaults filled in; UnknownName and UsageError for what cannot be drawn."""
    _require_names(dataset, tier, renderer)
    level = _level(tier, factor, level)
    people, takes = _size(dataset, tier, subjects, clips)
    strength = AMPLITUDE_PX[tier] if amplitude is None else amplitude
    if factor == "amplitude":
        if amplitude is not None:
            raise UsageError("An amplitude was given twice, as such and as a level.", "Leave out --amplitude.")
        strength = level
    if not (math.isfinite(strength) and 0 <= strength <= MOST_AMPLITUDE_PX):
        raise UsageError(f"Amplitude {strength} px was asked for.", f"Give a number from 0 to {MOST_AMPLITUDE_PX:g}.")
    if seed < 0:
        raise UsageError(f"Seed {seed} was given.", "Give a whole number from 0 on.")
    return Settings(dataset, tier, people, takes, float(strength), seed, renderer, factor, level)


def _require_names(dataset: str, tier: str, renderer: str) -> None:
    if dataset not in LAYOUTS:
        raise UnknownName("synthetic corpus", dataset, LAYOUTS)
    if tier not in TIERS:
        raise UnknownName("tier", tier, TIERS)
    if tier == CALIBRATED and dataset not in MARGINALS:
        raise UsageError(
            f"{dataset} codes no action units to calibrate to.", f"Ask for {' or '.join(MARGINALS)}, or another tier."
        )
    if renderer not in RENDERERS:
        raise UnknownName("renderer", renderer, RENDERERS)


def _level(tier: str, factor: str, level: float | None) -> float:
    """The level of the factor, 0 where there is none."""
    if tier == STRESS and not (factor and level is not None):
        raise UsageError("The stress tier varies one factor.", "Give --factor NAME and --level X.")
    if tier != STRESS and (factor or level is not None) and not (tier == CALIBRATED and factor == CONFOUNDED):
        raise UsageError(
            f"The {tier} tier varies nothing.", f"Give --tier stress, or {CONFOUNDED} with the calibrated tier."
        )
    if not factor:
        return 0.0
    if level is None:
        raise UsageError(f"No level of {factor} was given.", "Give --level X.")
    require_level(factor, level)
    return float(level)


def _size(dataset: str, tier: str, subjects: int | None, clips: int | None) -> tuple[int, int]:
    """How many subjects and clips there will be; of a part of a calibrated table at most as many as it holds."""
    everybody, all_clips = full_size(dataset) if tier == CALIBRATED else (len(LAYOUTS[dataset].subjects), None)
    people = subjects if subjects is not None else everybody if tier == CALIBRATED else _SUBJECTS
    if not 1 <= people <= everybody:
        raise UsageError(f"{people} subjects were asked for in {dataset}.", f"Give a number from 1 to {everybody}.")
    default = all_clips or people * len(MENUS[dataset]) * LAYOUTS[dataset].clips_per_class
    takes = default if clips is None else clips
    if takes < people:
        raise UsageError(f"{takes} clips were asked for with {people} subjects.", "Give at least one clip per subject.")
    if all_clips is not None and takes > all_clips:
        raise UsageError(
            f"{takes} clips were asked for; the table of {dataset} has {all_clips}.", "Give fewer, or the smoke tier."
        )
    return people, takes


__all__ = ["AMPLITUDE_PX", "MOST_AMPLITUDE_PX", "settings_of"]
