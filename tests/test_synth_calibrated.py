"""The calibrated plan: margins as counted over the real corpora, labels that units tell in part and takes do not."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from mebench.errors import UsageError
from mebench.facs import parse
from mebench.synth.acting import calibrated_person, calibrated_script, course
from mebench.synth.action_units import DRAWABLE, DrawnUnit
from mebench.synth.asking import settings_of
from mebench.synth.calibrated import LENGTHS, MOST_PX, MOST_TOGETHER_PX, draw_acted, draw_cells
from mebench.synth.coding import Event, coded_units, true_event
from mebench.synth.marginals import MARGINALS
from mebench.synth.table import deal_table

FULL = {"casme2": (26, 255), "samm": (29, 159)}


def settings(dataset="casme2", **more):
    return settings_of(dataset, tier="calibrated", **more)


@pytest.fixture(scope="module", params=FULL)
def dataset(request):
    return request.param


@pytest.fixture(scope="module")
def plan(dataset):
    return draw_acted(settings(dataset))


def test_counts_agree_with_themselves(dataset):
    margins = MARGINALS[dataset]
    clips, holders = zip(*margins.classes.values(), strict=True)
    assert sum(margins.sizes) == sum(clips)
    assert sum(margins.kinds) == sum(holders)
    assert len(margins.sizes) == len(margins.kinds)
    assert set(margins.sets) == {*margins.classes, *margins.extras}
    for emotion in margins.classes:
        counted = sum(margins.sets[emotion].values())
        unknown = 5 if emotion == margins.unknown_class else 0  # clips of CASME II whose cell says `?`
        assert counted + unknown == margins.classes[emotion][0]
    assert {int(n) for sets in margins.sets.values() for text in sets for n in text.split("+")} <= DRAWABLE


@pytest.mark.parametrize("seed", range(3))
def test_the_table_has_the_margins_of_the_corpus(dataset, seed):
    margins = MARGINALS[dataset]
    table = deal_table(np.random.default_rng(seed), margins)
    assert sorted(table.sum(axis=1), reverse=True) == list(margins.sizes)
    assert sorted((table > 0).sum(axis=1), reverse=True) == list(margins.kinds)
    assert [(n, h) for n, h in zip(table.sum(axis=0), (table > 0).sum(axis=0), strict=True)] == [
        *margins.classes.values()
    ]


def test_tables_of_two_seeds_differ():
    one, other = (deal_table(np.random.default_rng(seed), MARGINALS["casme2"]) for seed in (0, 1))
    assert (one != other).any()


def test_the_whole_corpus_has_the_clips_and_subjects_of_the_released_one(dataset, plan):
    emotions = Counter(clip.emotion for clip in plan)
    margins = MARGINALS[dataset]
    assert (len({clip.take.subject for clip in plan}), len(plan)) == FULL[dataset]
    assert emotions == {name: n for name, (n, _) in margins.classes.items()} | dict(margins.extras)
    assert len({(clip.take.subject, clip.name) for clip in plan}) == len(plan)


def test_units_occur_as_often_as_counted(dataset, plan):
    margins = MARGINALS[dataset]
    one_or_two = np.mean([len(clip.units) <= 2 for clip in plan])
    assert one_or_two > 0.85
    if dataset == "casme2":
        four = np.mean([any(unit.number == 4 for unit in clip.units) for clip in plan])
        assert four == pytest.approx(128 / 246, abs=0.06)
    sided = np.mean([any(unit.side for unit in clip.units) for clip in plan])
    assert sided == pytest.approx(margins.one_sided, abs=0.09)  # three deviations of a share of 159


def test_the_same_units_stand_under_several_emotions(plan):
    emotions = defaultdict(set)
    for clip in plan:
        emotions[frozenset(unit.number for unit in clip.units)].add(clip.emotion)
    assert sum(len(found) > 1 for found in emotions.values()) >= 5


def test_a_part_of_the_table_is_a_part(dataset):
    whole, part = (set(Counter(draw_cells(settings(dataset, **size)))) for size in ({}, {"subjects": 10, "clips": 50}))
    assert part <= whole
    cells = draw_cells(settings(dataset, subjects=10, clips=50))
    assert (len({subject for subject, _ in cells}), len(cells)) == (10, 50)
    assert len({emotion for _, emotion in cells} & set(MARGINALS[dataset].classes)) == 5


def test_more_clips_than_the_subjects_have_are_refused():
    with pytest.raises(UsageError, match="the 2 subjects drawn have"):
        draw_acted(settings(subjects=2, clips=200))


def test_coded_text_is_what_a_workbook_may_hold(plan):
    for clip in plan:
        read = parse(clip.unit_text)
        assert read.unresolved == (clip.unit_text == "?")
        assert {unit.number for unit in read.units} <= DRAWABLE
        assert not any(unit.side and unit.number not in {1, 2, 4, 6, 7, 10, 12, 14, 15, 20} for unit in read.units)


def test_coders_err_now_and_then_and_whatever_the_class(plan):
    agree = [clip.unit_text == "+".join(unit.text for unit in clip.units) for clip in plan]
    assert 0.7 < np.mean(agree) < 0.95
    late = np.array([clip.take.onset - clip.event.onset for clip in plan])
    assert abs(late.mean()) < 0.6  # 255 errors of deviation 2.2: a mean beyond .6 is one of 10,000
    assert 1 < late.std() < 3


def test_somebody_coded_a_unit_that_was_shown():
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = coded_units(rng, (DrawnUnit(4), DrawnUnit(7, "left")))
        assert text
        assert len(parse(text).units) >= 1


def test_the_true_event_holds_its_order_and_an_apex_within_the_clip():
    rng = np.random.default_rng(1)
    for _ in range(300):
        event = true_event(rng, 100, 104, 140)
        assert event.onset < event.apex - 1 < event.offset - 2
        assert 100 < event.apex < 140


def test_amplitudes_stay_where_skin_does_not_fold(plan):
    peaks = [max(part.left_px, part.right_px) for clip in plan for part in clip.parts]
    together = [sum(max(part.left_px, part.right_px) for part in clip.parts) for clip in plan]
    assert max(peaks) <= MOST_PX
    assert max(together) <= MOST_TOGETHER_PX + 1e-9
    assert np.median(peaks) == pytest.approx(settings().amplitude, rel=0.15)


def test_a_subject_has_its_own_liveliness():
    plan = draw_acted(settings())
    strength = defaultdict(list)
    for clip in plan:
        strength[clip.take.subject].append(np.log(max(part.left_px + part.right_px for part in clip.parts)))
    means = [np.mean(found) for found in strength.values() if len(found) >= 9]
    within = np.mean([np.std(found) for found in strength.values() if len(found) >= 9])
    assert np.std(means) > within / 4  # clips of one subject alone would give a third of that: deviation over root n


def test_with_amplitude_zero_no_unit_acts():
    silent = draw_acted(settings(amplitude=0.0, subjects=6, clips=20))
    assert all(part.left_px == part.right_px == 0 for clip in silent for part in (*clip.parts, *clip.rest))


@pytest.fixture(scope="module")
def acted():
    """Clips, their scripts, and their labels: as they are, then 999 times permuted within subjects."""
    asked = settings(seed=2)
    clips = draw_acted(asked)
    labels, subjects = (np.array(found) for found in zip(*((c.emotion, c.take.subject) for c in clips), strict=True))
    theirs = [np.flatnonzero(subjects == subject) for subject in np.unique(subjects)]
    rng, shuffles = np.random.default_rng(0), [labels]
    for _ in range(999):
        shuffled = labels.copy()
        for at in theirs:
            shuffled[at] = labels[rng.permutation(at)]
        shuffles.append(shuffled)
    return clips, [calibrated_script(asked, clip) for clip in clips], shuffles


def between_class_variance(values, labels):
    overall = values.mean()
    return sum((labels == k).sum() * (values[labels == k].mean() - overall) ** 2 for k in np.unique(labels))


@pytest.mark.parametrize(
    ("name", "property_of"),
    [
        ("length", lambda clip, script: clip.take.frames),
        ("apex position", lambda clip, script: (clip.take.apex - clip.take.onset) / clip.take.frames),
        ("sway", lambda clip, script: np.log(np.ptp(script.head.x))),
        ("noise", lambda clip, script: script.recording.noise_sigma),
        ("yaw", lambda clip, script: script.head.yaw[0]),
        ("blink", lambda clip, script: script.closure.max()),
        ("gaze", lambda clip, script: np.ptp(script.gaze[:, 0])),
        ("exposure", lambda clip, script: script.recording.gain.mean()),
        ("quality", lambda clip, script: script.recording.jpeg_quality),
        ("resting face", lambda clip, script: len(clip.rest)),
        ("place in the workbook", lambda clip, script: clip.take.index % 8),
    ],
)
def test_nothing_of_a_take_tells_its_class_within_a_subject(name, property_of, acted):
    # A permutation test within subjects, at .001: one of eleven fails by chance in 1 % of the seeds.
    # Amplitude is not among them: it goes with a person's units, and units go with the class.
    clips, scripts, shuffles = acted
    values = np.array([property_of(clip, script) for clip, script in zip(clips, scripts, strict=True)], float)
    real, *drawn = (between_class_variance(values, labels) for labels in shuffles)
    reached = sum(value >= real * (1 - 1e-9) for value in drawn)
    assert (1 + reached) / (1 + len(drawn)) > 0.001, name


def test_scripts_show_the_event_and_not_what_was_coded():
    asked = settings(subjects=8, clips=40)
    for clip in draw_acted(asked):
        script = calibrated_script(asked, clip)
        assert LENGTHS[0] <= script.frames <= LENGTHS[1]
        assert script.numbers.tolist() == list(range(clip.take.onset, clip.take.offset + 1))
        strongest = script.units[0].intensity
        assert abs(int(strongest.argmax()) - script.apex_index) <= 1
        assert strongest.max() == pytest.approx(max(clip.parts[0].left_px, clip.parts[0].right_px), rel=0.02)
        assert [track.text for track in script.units] == [unit.text for unit in clip.units]
        for track in script.rest:
            assert np.ptp(track.intensity) == 0
        assert script.closure.min() >= 0
        assert script.closure.max() <= 1


def test_some_onsets_are_not_neutral_and_some_units_begin_before_them():
    asked = settings()
    scripts = [calibrated_script(asked, clip) for clip in draw_acted(asked)]
    assert 0.15 < np.mean([bool(script.rest) for script in scripts]) < 0.45
    begun = np.mean([max(track.intensity[0] for track in script.units) > 0 for script in scripts])
    assert 0.3 < begun < 0.8


def test_the_course_rises_and_falls_along_half_cosines():
    # (1 - cos(pi * phase)) / 2 at phases 0, 1/4, 1/2, 1, 1/2, 0, and 0 outside
    values = course(np.array([8.0, 10, 11, 12, 14, 17, 20, 23]), Event(10, 14, 20))
    assert values == pytest.approx([0, 0, 0.146447, 0.5, 1, 0.5, 0, 0], abs=1e-6)


def test_people_stay_who_they_are_in_a_part_of_the_corpus():
    whole, part = settings(), settings(subjects=5)
    for clip in draw_acted(part)[:5]:
        subject = clip.take.subject
        assert calibrated_person(whole, subject) == calibrated_person(part, subject)


def test_some_people_wear_spectacles_or_beards():
    asked = settings()
    people = [calibrated_person(asked, subject) for subject in asked.layout.subjects]
    assert 2 <= sum(person.glasses for person in people) <= 12
    assert 1 <= sum(person.beard > 0 for person in people) <= 11
