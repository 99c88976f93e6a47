"""What a synthetic corpus will hold: labels that are learnable, and nothing else that tells them apart."""

from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pytest

from mebench.facs import parse
from mebench.synth.action_units import DRAWABLE
from mebench.synth.expressions import COMMON, MENUS, draw_sets
from mebench.synth.plan import Settings, draw_plan
from mebench.synth.seeds import stream

DATASETS = sorted(MENUS)


def settings(dataset="casme2", subjects=8, clips=80, amplitude=1.0, seed=0):
    return Settings(dataset, "smoke", subjects, clips, amplitude, seed)


def units_by_class(plan):
    shown = defaultdict(set)
    for clip in plan:
        shown[clip.emotion] |= {unit.number for unit in clip.units}
    return shown


@pytest.mark.parametrize("dataset", DATASETS)
def test_any_two_classes_share_two_action_units_in_the_clips_drawn(dataset):
    shown = units_by_class(draw_plan(settings(dataset)))
    assert set(shown) == set(MENUS[dataset])
    for one, other in combinations(shown.values(), 2):
        assert len(one & other) >= 2


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_workbook_text_names_the_units_that_are_drawn(dataset):
    for clip in draw_plan(settings(dataset)):
        read = parse(clip.unit_text)
        assert {(u.number, u.side) for u in read.units} == {(u.number, u.side) for u in clip.units}
        assert {u.number for u in clip.units} <= DRAWABLE


@pytest.mark.parametrize("dataset", DATASETS)
def test_units_carry_information_about_the_class_but_do_not_settle_it(dataset):
    # The best guess from the unit set alone, over the menus: what a perfect observer of motion could reach.
    shares = defaultdict(Counter)
    for emotion, menu in MENUS[dataset].items():
        for units, weight in menu.items():
            shares[units][emotion] += 0.9 * weight / sum(menu.values())
        shares[COMMON][emotion] += 0.1
    best = sum(max(by_class.values()) for by_class in shares.values()) / len(MENUS[dataset])
    assert 0.7 < best < 0.95


def test_sets_are_drawn_as_often_as_their_weights_say():
    # Weights 3 : 1 and the common set's tenth of 40 draws: 27, 9 and 4, whole numbers, so nothing is left to chance.
    drawn = draw_sets(np.random.default_rng(3), {(12,): 3, (6, 12): 1}, 40)
    assert Counter(drawn) == {(12,): 27, (6, 12): 9, COMMON: 4}


@pytest.mark.parametrize(("subjects", "clips"), [(8, 80), (3, 17), (26, 246)])
def test_classes_and_subjects_are_balanced(subjects, clips):
    plan = draw_plan(settings(subjects=subjects, clips=clips))
    assert len(plan) == clips
    for counts in (Counter(c.emotion for c in plan), Counter(c.take.subject for c in plan)):
        assert max(counts.values()) - min(counts.values()) <= 1
    cells = Counter((c.take.subject, c.emotion) for c in plan)
    for subject, total in Counter(c.take.subject for c in plan).items():
        assert max(n for (who, _), n in cells.items() if who == subject) <= -(-total // 5)


def test_clip_names_are_unique_within_a_subject():
    for dataset in DATASETS:
        plan = draw_plan(settings(dataset))
        assert len({(c.take.subject, c.name) for c in plan}) == len(plan)


def between_class_variance(values, labels):
    overall = values.mean()
    return sum((labels == k).sum() * (values[labels == k].mean() - overall) ** 2 for k in np.unique(labels))


@pytest.mark.parametrize(
    ("name", "property_of"),
    [
        ("length", lambda c: c.take.frames),
        ("onset number", lambda c: c.take.onset),
        ("apex position", lambda c: (c.take.apex - c.take.onset) / c.take.frames),
        ("peak", lambda c: c.take.peak_px),
        ("place in the workbook", lambda c: c.take.index % 10),
        ("episode", lambda c: int(c.name[2:4])),
    ],
)
def test_nothing_of_a_take_tells_its_class(name, property_of):
    # Permutation test over 520 clips; one of six properties at .005 fails by chance in 3 % of the seeds.
    plan = draw_plan(settings(subjects=26, clips=520, seed=1))
    values = np.array([property_of(c) for c in plan], float)
    labels = np.array([c.emotion for c in plan])
    rng = np.random.default_rng(0)
    null = [between_class_variance(values, rng.permutation(labels)) for _ in range(400)]
    assert np.mean(np.array(null) >= between_class_variance(values, labels)) > 0.005


def test_peaks_are_log_normal_around_the_amplitude_between_half_and_twice_it():
    peaks = np.array([c.take.peak_px for c in draw_plan(settings(subjects=26, clips=520, amplitude=0.8))])
    assert peaks.min() >= 0.4
    assert peaks.max() <= 1.6
    assert np.median(peaks) == pytest.approx(0.8, rel=0.06)
    # a normal law of deviation .5 cut at +-1 has deviation .5 * sqrt(1 - 2 * 2 * pdf(2) / (2 * cdf(2) - 1)) = .44
    assert np.log2(peaks).std() == pytest.approx(0.44, abs=0.03)


def test_the_amplitude_changes_nothing_but_the_peak():
    strong, null = draw_plan(settings(amplitude=1.0)), draw_plan(settings(amplitude=0.0))
    for one, other in zip(strong, null, strict=True):
        assert (one.name, one.emotion, one.units) == (other.name, other.emotion, other.units)
        assert (one.take.onset, one.take.apex, one.take.offset) == (
            other.take.onset,
            other.take.apex,
            other.take.offset,
        )
        assert other.take.peak_px == 0 < one.take.peak_px


def test_streams_differ_by_seed_corpus_purpose_and_index():
    keys = [(0, "casme2", "take", 0), (1, "casme2", "take", 0), (0, "samm", "take", 0), (0, "casme2", "scene", 0)]
    keys.append((0, "casme2", "take", 1))
    assert len({stream(*key).integers(2**60) for key in keys}) == 5
    assert stream(*keys[0]).integers(2**60) == stream(*keys[0]).integers(2**60)
