"""What is to be filmed in a tier: every clip as it is annotated, with its script and the person in it."""

from dataclasses import dataclass

from mebench.synth.acting import calibrated_person, calibrated_script
from mebench.synth.calibrated import draw_acted
from mebench.synth.plan import PlannedClip, Settings, draw_plan
from mebench.synth.renderers import PORTRAIT
from mebench.synth.script import ClipScript, PersonScript
from mebench.synth.scripting import smoke_person, smoke_script
from mebench.synth.stress import stressed

SMOKE, CALIBRATED, STRESS = "smoke", "calibrated", "stress"
TIERS = (SMOKE, CALIBRATED, STRESS)


@dataclass(frozen=True, eq=False, slots=True)
class Shot:
    """A clip as the workbook has it, its script, and who acts."""

    clip: PlannedClip
    script: ClipScript
    person: PersonScript


def shots_of(settings: Settings) -> tuple[Shot, ...]:
    """Every clip of the corpus, by subject."""
    if settings.tier == CALIBRATED:
        return tuple(
            Shot(
                *stressed(settings, clip, calibrated_script(settings, clip)),
                calibrated_person(settings, clip.take.subject),
            )
            for clip in draw_acted(settings)
        )
    plan = draw_plan(settings)
    people = list(dict.fromkeys(clip.take.subject for clip in plan))
    return tuple(
        Shot(
            *stressed(settings, clip, smoke_script(settings, clip)),
            smoke_person(settings, people.index(clip.take.subject)),
        )
        for clip in plan
    )


def from_plan(settings: Settings) -> bool:
    """Whether frames come straight from the plan: the smoke tier as it has always been drawn."""
    return (settings.tier, settings.renderer) == (SMOKE, PORTRAIT)


__all__ = ["CALIBRATED", "SMOKE", "STRESS", "TIERS", "Shot", "from_plan", "shots_of"]
