"""Whether LAM's maps point where skin moved, reading by reading, on the smoke corpus.

Usage: python -m benchmarks.attribution HOME [--jobs N] [--readings NAME ...] [--seeds N ...] [--corpus-seeds N ...]
       [--amplitude PX] [--subjects N] [--clips N]

Every fold of every reading and seed is trained at the demo's size, asked about the clips it held out and kept under
HOME, so that the command goes on where it was stopped. A clip counts with its mean over seeds; intervals are over
subjects. Beside the reading stand chance, the centre of the face, the same network with weights drawn anew, and the
network without attention. Everything is SYNTHETIC and says nothing about faces.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evidence import CLIPS, SUBJECTS, corpus_of, task_of
from mebench.attribution.asking import corpus_targets
from mebench.attribution.fold import FoldJob, attribute_fold
from mebench.attribution.game import MEASURES, Game, lead, play
from mebench.attribution.tables import signed, spelled
from mebench.clips import canonical_json
from mebench.demo import MODELS
from mebench.execute import build_model, plain, recipe_of
from mebench.files import write_text_atomic
from mebench.inputs import compute_inputs
from mebench.parallel import run_tasks
from mebench.render import figure

READINGS = ("affinity", "none", "channel-only", "spatial-only")
NONE = "none"
SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Trial:
    """One fold of one reading, seed and corpus; `place` is the corpus' home, `kept` where the answer lies."""

    reading: str
    corpus_seed: int
    place: Path
    job: FoldJob
    kept: Path


@dataclass(frozen=True, slots=True)
class Clip:
    """What was found about one clip: `scores` by network (trained, untrained), measure and map; `chance`, `centre`."""

    clip: str
    subject: str
    truth: str
    right: bool
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]
    chance: Mapping[str, float]
    centre: Mapping[str, float]


def main(arguments: list[str]) -> int:
    """0 once the table is printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attribution")
    parser.add_argument("home", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--readings", nargs="+", default=READINGS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--corpus-seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--amplitude", type=float, default=1.0)
    parser.add_argument("--subjects", type=int, default=SUBJECTS)
    parser.add_argument("--clips", type=int, default=CLIPS)
    options = parser.parse_args(arguments)
    wanted: dict[str, Trial] = {}
    for corpus_seed in options.corpus_seeds:
        place = corpus_of(
            options.home, options.amplitude, options.jobs, corpus_seed, options.subjects, options.clips
        )  # fmt: skip
        for reading in options.readings:
            wanted |= trials(place, reading, options.seeds, corpus_seed, options.jobs)
    found: dict[str, list[list[Clip]]] = {reading: [] for reading in options.readings}
    answers = {}
    for ended, outcome in enumerate(run_tasks(measured, wanted, jobs=options.jobs), 1):
        if outcome.error is not None or outcome.value is None:
            raise outcome.error or RuntimeError(outcome.name)
        answers[outcome.name] = outcome.value
        sys.stderr.write(f"{ended}/{len(wanted)} {outcome.name}\n")
    for name, trial in wanted.items():
        found[trial.reading].append(answers[name])
    print_tables({reading: pooled(folds) for reading, folds in found.items()}, options)
    return 0


def trials(place: Path, reading: str, seeds: Sequence[int], corpus_seed: int, jobs: int) -> dict[str, Trial]:
    """Every fold of one reading, its inputs made."""
    task, _ = task_of(place)
    model = build_model("lam", {**MODELS["lam"], "reading": reading}, "cpu")
    inputs = compute_inputs(place, recipe_of(model), [item.clip for item in task.items], jobs=jobs)
    parameters = {key: plain(value) for key, value in model.get_params(deep=False).items() if key != "random_state"}
    made_of = canonical_json([model.version, parameters, inputs.key])
    version = hashlib.sha256(made_of.encode()).hexdigest()[:12]  # what was kept under other settings is not taken
    return {
        f"{reading} corpus {corpus_seed} seed {seed} {fold.id}": Trial(
            reading,
            corpus_seed,
            place,
            FoldJob(place, "lam", parameters, task, fold, inputs, inputs.recipe, seed, only=(), at=None, curves=False),
            place / "attribution" / version / f"{reading}-{seed}-{fold.id.replace('/', '-')}.json",
        )
        for seed in seeds
        for fold in task.folds
    }


def measured(trial: Trial) -> list[Clip]:
    """What the fold's network says of its clips, from the file it was kept in or computed now."""
    if trial.kept.exists():
        return [Clip(**record) for record in json.loads(trial.kept.read_text())]
    answer = attribute_fold(trial.job)
    subjects = {item.id: f"{item.subject}-{trial.corpus_seed}" for item in trial.job.task.items}
    rows = {row.clip: row for row in answer.rows}
    targets = corpus_targets(trial.place / "corpus", trial.place, answer.clips)
    truths = [rows[clip].truth for clip in answer.clips]
    game = play(answer.maps, answer.untrained, targets, [subjects[clip] for clip in answer.clips], truths)
    clips = [
        Clip(
            clip=f"{clip}-{trial.corpus_seed}",
            subject=subjects[clip],
            truth=rows[clip].truth,
            right=rows[clip].predicted == rows[clip].truth,
            scores={"trained": _at(game.scores, i), "untrained": _at(game.untrained, i)},
            chance={measure: float(game.chance[measure][i]) for measure in MEASURES},
            centre={measure: float(game.centre[measure][i]) for measure in MEASURES},
        )
        for i, clip in enumerate(answer.clips)
    ]
    write_text_atomic(trial.kept, json.dumps([asdict(clip) for clip in clips]))
    return clips


def pooled(folds: Sequence[Sequence[Clip]]) -> tuple[Game, float]:
    """The game over all clips, each with its mean over seeds, and the share of right predictions."""
    every: dict[str, list[Clip]] = {}
    for fold in folds:
        for clip in fold:
            every.setdefault(clip.clip, []).append(clip)
    clips = [every[name] for name in sorted(every)]

    def means(network: str) -> dict[Any, dict[str, Any]]:
        names = clips[0][0].scores[network][MEASURES[0]]
        return {
            m: {name: np.array([np.mean([c.scores[network][m][name] for c in one]) for one in clips]) for name in names}
            for m in MEASURES
        }

    game = Game(
        subjects=tuple(one[0].subject for one in clips),
        classes=tuple(one[0].truth for one in clips),
        scores=means("trained"),
        untrained=means("untrained"),
        chance={m: np.array([one[0].chance[m] for one in clips]) for m in MEASURES},
        centre={m: np.array([one[0].centre[m] for one in clips]) for m in MEASURES},
    )
    return game, float(np.mean([c.right for one in clips for c in one]))


def print_tables(found: Mapping[str, tuple[Game, float]], options: argparse.Namespace) -> None:
    """One table per measure: every map of every reading, and its lead over what knows nothing."""
    seeds, corpora = len(options.seeds), ", ".join(map(str, options.corpus_seeds))
    people = f"{options.subjects} rendered subjects, {options.clips} clips, {options.amplitude:g} px"
    bare = found[NONE][0] if NONE in found else None
    for measure in MEASURES:
        print(f"\n{measure}: LAM at the demo's size, {people}, corpus {corpora}, {seeds} seeds, SYNTHETIC")
        heads = ("chance", "over chance", "over centre", "over untrained", "over none")
        print(
            f"{'reading':13}{'right':>6} {'map':17} {measure:>18} {heads[0]:>6}"
            + "".join(f"{h:>24}" for h in heads[1:])
        )
        for reading, (game, right) in found.items():
            for name in game.names:
                one = game.standing(measure, name)
                leads = [one.over_chance, one.over_centre, *([one.over_untrained] if one.over_untrained else [])]
                if bare is not None and reading != NONE and name in bare.names:
                    leads.append(lead(game, bare, measure, name))
                cells = "".join(f"{signed(value):>24}" for value in leads)
                print(
                    f"{reading:13}{figure(right):>6} {name:17} {spelled(one.value):>18} {figure(one.chance):>6}{cells}"
                )
    print("\nBy class, share of hits of grad-cam maps")
    for reading, (game, _) in found.items():
        names = [name for name in game.names if name.startswith("grad-cam:")]
        for held in sorted(set(game.classes)):
            chosen = game.of_class(held)
            cells = [game.standing("hits", name, chosen) for name in names]
            line = "".join(f"{spelled(one.value):>22}" for one in cells)
            print(f"{reading:13} {held:12} {cells[0].clips:>4} {figure(cells[0].chance):>6}{line}")


def _at(scores: Mapping[Any, Mapping[str, Any]], i: int) -> dict[str, dict[str, float]]:
    return {measure: {name: float(values[i]) for name, values in by.items()} for measure, by in scores.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
