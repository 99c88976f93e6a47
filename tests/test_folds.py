"""Folds: every clip tested once, no subject on both sides, an order that carries no label, classes covered."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from mebench.errors import ProtocolError
from mebench.folds import Fold, FoldRule, Item, check_subjects, in_order, make_folds
from tests.tables import clip

CLASSES = ("anger", "fear", "sadness")
LOSO = FoldRule("leave-one-subject-out")


def item(subject: int, number: int, label: str, dataset: str = "d") -> Item:
    return Item(clip(f"{dataset}/s{subject}/c{number}", "others"), label)


@st.composite
def items(draw: st.DrawFn, subjects: int = 8, clips: int = 30) -> list[Item]:
    pairs = st.tuples(st.integers(1, subjects), st.sampled_from(CLASSES))
    drawn = draw(st.lists(pairs, min_size=2, max_size=clips).filter(lambda p: len({s for s, _ in p}) > 1))
    return [item(subject, number, label) for number, (subject, label) in enumerate(drawn)]


def relabelled(given_items: Sequence[Item], labels: Sequence[str]) -> list[Item]:
    return [Item(i.clip, label) for i, label in zip(given_items, labels, strict=True)]


def assert_sound(folds: Sequence[Fold], given_items: Sequence[Item]) -> None:
    """Each clip tested once and otherwise trained on, no subject on both sides, parts in hash order."""
    subject_of = {i.id: i.subject for i in given_items}
    assert Counter(c for f in folds for c in f.test) == dict.fromkeys(subject_of, 1)
    for fold in folds:
        assert Counter((*fold.train, *fold.test)) == dict.fromkeys(subject_of, 1)
        assert not {subject_of[c] for c in fold.train} & {subject_of[c] for c in fold.test}
        for part in (fold.train, fold.test):
            assert list(part) == sorted(part, key=lambda c: sha256(c.encode()).hexdigest())


def coverable(given_items: Sequence[Item], k: int) -> bool:
    """By trying every assignment: whether k non-empty groups of subjects leave each class in each training part."""
    subjects = sorted({i.subject for i in given_items})
    for groups in product(range(k), repeat=len(subjects)):
        group_of = dict(zip(subjects, groups, strict=True))
        spread = [{group_of[i.subject] for i in given_items if i.label == c} for c in CLASSES]
        if len(set(groups)) == k and all(len(g) > 1 for g in spread):
            return True
    return False


@given(items())
def test_leave_one_subject_out_tests_every_clip_once_and_no_subject_crosses(given_items: list[Item]) -> None:
    folds = make_folds(LOSO, given_items, CLASSES)
    assert_sound(folds, given_items)
    assert [f.id for f in folds] == sorted({i.subject for i in given_items})


@given(items(), st.data())
def test_labels_move_neither_clips_nor_subject_folds(given_items: list[Item], data: st.DataObject) -> None:
    others = relabelled(given_items, data.draw(st.permutations([i.label for i in given_items])))
    shuffled = data.draw(st.permutations(others))
    assert [i.id for i in in_order(shuffled)] == [i.id for i in in_order(given_items)]
    before, after = make_folds(LOSO, given_items, CLASSES), make_folds(LOSO, shuffled, CLASSES)
    assert [(f.id, f.train, f.test) for f in after] == [(f.id, f.train, f.test) for f in before]


@given(items(subjects=6, clips=14), st.integers(2, 3), st.integers(0, 5))
def test_k_folds_exist_exactly_where_some_assignment_covers_every_class(
    given_items: list[Item], k: int, seed: int
) -> None:
    rule = FoldRule("group-k-fold", k, seed)
    if not coverable(given_items, k):
        with pytest.raises(ProtocolError):
            make_folds(rule, given_items, CLASSES)
        return
    folds = make_folds(rule, given_items, CLASSES)
    assert_sound(folds, given_items)
    assert [f.id for f in folds] == [f"k{g}" for g in range(k)]
    assert all(f.untrained == () for f in folds)


@given(items(subjects=10), st.integers(0, 3), st.permutations(CLASSES))
def test_names_of_classes_do_not_decide_k_folds(given_items: list[Item], seed: int, names: list[str]) -> None:
    rename = dict(zip(CLASSES, names, strict=True))
    renamed = relabelled(given_items, [rename[i.label] for i in given_items])
    rule = FoldRule("group-k-fold", 2, seed)
    if coverable_in_two(given_items):
        before, after = make_folds(rule, given_items, CLASSES), make_folds(rule, renamed, CLASSES)
        assert [(f.id, f.train, f.test) for f in after] == [(f.id, f.train, f.test) for f in before]


def coverable_in_two(given_items: Sequence[Item]) -> bool:
    """Three classes of two subjects or more, one of three or more: two groups do, as only a triangle of pairs fails."""
    holders = [len({i.subject for i in given_items if i.label == c}) for c in CLASSES]
    return min(holders) > 1 and max(holders) > 2


def test_k_folds_share_out_evenly_what_can_be_shared_out_evenly() -> None:
    # 6 subjects alike, 2 clips of each class: the even parting is 2 subjects and so 4 clips of each class per fold.
    given_items = [item(s, 10 * n + i, c) for s in range(6) for n in range(2) for i, c in enumerate(CLASSES)]
    label_of = {i.id: i.label for i in given_items}
    for fold in make_folds(FoldRule("group-k-fold", 3, seed=1), given_items, CLASSES):
        assert Counter(label_of[c] for c in fold.test) == dict.fromkeys(CLASSES, 4)


def test_k_folds_spread_a_rare_class_over_as_many_folds_as_it_has_subjects() -> None:
    # 20 subjects of anger, subjects 1, 7 and 13 of fear too; with 5 folds fear can stand in 3 of them.
    given_items = [item(s, s, "anger") for s in range(20)] + [item(s, 100 + s, "fear") for s in (1, 7, 13)]
    label_of = {i.id: i.label for i in given_items}
    folds = make_folds(FoldRule("group-k-fold", 5), given_items, ("anger", "fear"))
    assert sum("fear" in {label_of[c] for c in f.test} for f in folds) == 3
    assert {sum(label_of[c] == "anger" for c in f.test) for f in folds} == {4}


def test_seeds_part_subjects_differently_and_repeatably() -> None:
    given_items = [item(s, s, CLASSES[s % 3]) for s in range(30)]
    first, again, other = (make_folds(FoldRule("group-k-fold", 5, seed), given_items, CLASSES) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_k_folds_of_more_subjects_than_python_calls_deep() -> None:
    # Subjects of one clip can be dealt out so that folds differ by one clip of each class at most.
    given_items = [item(s, s, CLASSES[s % 3]) for s in range(1100)]
    label_of = {i.id: i.label for i in given_items}
    folds = make_folds(FoldRule("group-k-fold", 3), given_items, CLASSES)
    for name in CLASSES:
        counts = [sum(label_of[c] == name for c in fold.test) for fold in folds]
        assert max(counts) - min(counts) <= 1


def test_k_folds_are_no_less_even_than_those_of_scikit_learn() -> None:
    # 26 subjects with as many clips as in CASME II, 2014, each drawing its classes with a bias of its own.
    sizes = (9, 13, 7, 5, 19, 5, 9, 3, 14, 14, 10, 12, 8, 4, 3, 4, 36, 3, 16, 11, 2, 2, 12, 10, 7, 17)
    rng = np.random.default_rng(0)
    labels = [CLASSES[c] for n in sizes for c in rng.choice(3, n, p=rng.dirichlet([0.4, 0.4, 0.4]))]
    subjects = [s for s, n in enumerate(sizes) for _ in range(n)]
    given_items = [item(s, n, c) for n, (s, c) in enumerate(zip(subjects, labels, strict=True))]
    theirs = StratifiedGroupKFold(5).split(labels, labels, subjects)
    label_of = {i.id: i.label for i in given_items}

    def unevenness(tests: Sequence[Sequence[str]]) -> float:
        return sum((sum(label_of[i] == c for i in t) / labels.count(c)) ** 2 for t in tests for c in CLASSES)

    ours = make_folds(FoldRule("group-k-fold", 5), given_items, CLASSES)
    assert unevenness([f.test for f in ours]) <= unevenness([[given_items[i].id for i in t] for _, t in theirs])


def test_k_folds_are_in_numerical_order() -> None:
    given_items = [item(s, s, CLASSES[s % 3]) for s in range(36)]
    names = [f.id for f in make_folds(FoldRule("group-k-fold", 12), given_items, CLASSES)]
    assert names == [f"k{g}" for g in range(12)]


def test_a_class_of_one_subject_makes_k_folds_impossible_and_is_named() -> None:
    given_items = [item(s, s, "anger") for s in range(5)] + [item(1, 9, "fear")]
    with pytest.raises(ProtocolError, match="Class fear has 1 subject: no fold"):
        make_folds(FoldRule("group-k-fold", 2), given_items, ("anger", "fear"))


def test_classes_that_form_a_triangle_cannot_be_halved() -> None:
    # anger {1, 2}, fear {2, 3}, sadness {1, 3}: two of the three subjects share a half, and with them a whole class.
    pairs = {"anger": (1, 2), "fear": (2, 3), "sadness": (1, 3)}
    given_items = [item(s, 10 * s + i, c) for i, (c, held) in enumerate(pairs.items()) for s in held]
    with pytest.raises(ProtocolError, match="No 2 groups of whole subjects"):
        make_folds(FoldRule("group-k-fold", 2), given_items, CLASSES)
    assert len(make_folds(FoldRule("group-k-fold", 3), given_items, CLASSES)) == 3


def test_more_folds_than_subjects_are_refused() -> None:
    with pytest.raises(ProtocolError, match="3 folds of whole subjects need 3 subjects; there are 2"):
        make_folds(FoldRule("group-k-fold", 3), [item(1, 1, "anger"), item(2, 2, "anger")], ("anger",))


def test_a_class_missing_from_the_training_part_is_recorded() -> None:
    folds = make_folds(LOSO, [item(1, 1, "anger"), item(1, 2, "fear"), item(2, 3, "anger")], ("anger", "fear"))
    assert {f.id: f.untrained for f in folds} == {"d/s1": ("fear",), "d/s2": ()}


def test_one_subject_leaves_nothing_to_train_on() -> None:
    with pytest.raises(ProtocolError, match="finds 1 among 2 clips"):
        make_folds(LOSO, [item(1, 1, "anger"), item(1, 2, "fear")], ("anger", "fear"))


def test_hold_out_dataset_goes_both_ways() -> None:
    given_items = [item(1, 1, "anger", "casme2"), item(2, 2, "anger", "casme2"), item(1, 3, "anger", "samm")]
    folds = {f.id: set(f.test) for f in make_folds(FoldRule("hold-out-dataset"), given_items, ("anger",))}
    assert folds == {"samm->casme2": {"casme2/s1/c1", "casme2/s2/c2"}, "casme2->samm": {"samm/s1/c3"}}


def test_of_three_datasets_the_other_two_are_trained_on() -> None:
    given_items = [item(1, n, "anger", dataset) for n, dataset in enumerate(("a", "b", "c"))]
    names = [f.id for f in make_folds(FoldRule("hold-out-dataset"), given_items, ("anger",))]
    assert names == ["a+b->c", "a+c->b", "b+c->a"]


def test_people_shared_by_two_datasets_are_named_unless_declared() -> None:
    shared = [
        Item(clip("smic/s01/c1", subject="smic/s01"), "anger"),
        Item(clip("smic-vis/s01/c1", subject="smic/s01"), "anger"),
    ]
    rule = FoldRule("hold-out-dataset")
    with pytest.raises(ProtocolError, match="subject smic/s01 stands in both the training and the test part"):
        make_folds(rule, shared, ("anger",))
    assert len(make_folds(rule, shared, ("anger",), subject_independent=False)) == 2


def test_leave_one_clip_out_crosses_subjects_and_has_to_say_so() -> None:
    given_items = [item(1, 1, "anger"), item(1, 2, "anger"), item(2, 3, "anger")]
    rule = FoldRule("leave-one-clip-out")
    with pytest.raises(ProtocolError, match="subject d/s1 stands in both"):
        make_folds(rule, given_items, ("anger",))
    folds = make_folds(rule, given_items, ("anger",), subject_independent=False)
    assert [(f.id, f.test, len(f.train)) for f in folds] == [(i.id, (i.id,), 2) for i in given_items]


def test_a_subject_planted_on_both_sides_is_found() -> None:
    fold = Fold("d/s1", train=("d/s2/a", "d/s1/b"), test=("d/s1/a",))
    subject_of = {"d/s2/a": "d/s2", "d/s1/b": "d/s1", "d/s1/a": "d/s1"}
    with pytest.raises(ProtocolError, match="Fold d/s1: subject d/s1 stands in both"):
        check_subjects([fold], subject_of)


def test_file_names_of_folds_hold_no_slash() -> None:
    assert Fold("casme2/sub01", (), ()).file_name == "casme2__sub01"
