"""Action-unit cells: every form the corpora use, and anything else a cell may hold."""

import pickle
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mebench.errors import AnnotationError
from mebench.facs import LONGEST_CELL, ActionUnit, objective_class, objective_from, parse


@pytest.mark.parametrize(
    ("cell", "base"),
    [
        ("L12", {12}),
        ("R12", {12}),
        ("L1+L2", {1, 2}),
        ("A12", {12}),
        ("A1B+A2C", {1, 2}),
        ("T18", {18}),
        ("B18", {18}),
        ("B23", {23}),
        ("7B", {7}),
        ("R14A", {14}),
        ("43E", {43}),
        ("10A/B", {10}),
        ("4A/B", {4}),
        ("A/L12", {12}),
        ("ref(7B)+43", {43}),
        ("12A+ref(24)", {12}),
        ("7B+ ref(43)", {7}),
        ("(R6 or R12)+R15", {15}),
        ("L12 or L14", set()),
        ("R14+17+soft focus", {14, 17}),
        ("?", set()),
        ("4，11", {4, 11}),
        ("4,", {4}),
        ("AU4(k)+L7", {7}),
        ("L12 + 61", {12, 61}),
        ("12+15 ", {12, 15}),
        ("4+7+6", {4, 6, 7}),
        (12, {12}),
        (12.0, {12}),
        (None, set()),
        ("", set()),
        ("4+38", {4, 38}),
        ("39+56", {39, 56}),
    ],
)
def test_definite_numbers_of_every_published_form(cell: object, base: set[int]) -> None:
    assert parse(cell).base == base


def test_a_letter_is_a_side_before_the_number_and_an_intensity_after() -> None:
    assert parse("B18B").units == (ActionUnit(18, "bottom", "B"),)
    assert parse("A1B+L2+R14A+T18+7").units == (
        ActionUnit(1, "both-asymmetric", "B"),
        ActionUnit(2, "left"),
        ActionUnit(14, "right", "A"),
        ActionUnit(18, "top"),
        ActionUnit(7),
    )
    assert parse("10A/B").units == (ActionUnit(10, None, "A/B"),)


def test_alternatives_are_the_sets_of_which_one_holds() -> None:
    assert parse("L12 or L14").alternatives == ((12,), (14,))
    assert parse("R14A or 17A or 24A").alternatives == ((14,), (17,), (24,))
    both = parse("(R6 or R12)+R15")
    assert both.alternatives == ((6,), (12,))
    assert both.possible == ({6, 15}, {12, 15})
    assert parse("1+2 or 4").possible == ({1, 2}, {4})
    assert parse("13?").possible == ({13}, set())


@pytest.mark.parametrize("cell", ["L12 or L14", "(R6 or R12)+R15", "?", "13?", "4+?", "4+x9y", "123", "0"])
def test_doubt_is_marked(cell: str) -> None:
    assert parse(cell).unresolved


@pytest.mark.parametrize("cell", ["4", "A/L12", "10A/B", "ref(7B)+43", "R14+17+soft focus", "AU4(k)+L7", None])
def test_what_is_certain_is_not_marked(cell: object) -> None:
    assert not parse(cell).unresolved


def test_references_and_remarks_are_kept_apart_from_the_units() -> None:
    assert parse("ref(7B)+43").references == (7,)
    assert parse("AU4(k)+L7").references == (4,)
    assert parse("R14+17+soft focus").remarks == ("soft focus",)
    assert parse("A/L12").remarks == ("A/L12",)


@given(st.text(max_size=60))
def test_any_text_is_read_and_kept_verbatim(text: str) -> None:
    assert parse(text).text == text.strip()


@given(st.text("0123456789LRATBE+ ,()?or/ref(k)", max_size=LONGEST_CELL))
def test_text_made_of_the_grammar_never_fails_but_as_an_annotation_error(text: str) -> None:
    try:
        units = parse(text)
    except AnnotationError:
        return
    assert units.text == text.strip()
    assert all(0 < n < 100 for n in units.base)
    assert units.unresolved or len(units.possible) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "L", "R", "A", "T", "B"]), st.integers(1, 98), st.sampled_from(["", *"ABCDE"])),
        min_size=1,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_order_and_spacing_do_not_matter(terms: list[tuple[str, int, str]], rng: object) -> None:
    written = [f"{side}{number}{grade}" for side, number, grade in terms]
    turned = sorted(written, key=lambda _: rng.random())  # type: ignore[attr-defined]
    assert parse("+".join(written)).base == parse(" + ".join(turned)).base == {number for _, number, _ in terms}


@pytest.mark.parametrize("cell", [1.5, True, datetime(2014, 5, 8), b"12", "x" * (LONGEST_CELL + 1), float("nan")])
def test_a_cell_that_is_no_text_or_number_is_an_annotation_error(cell: object) -> None:
    with pytest.raises(AnnotationError):
        parse(cell)


def test_alternatives_that_multiply_are_refused() -> None:
    # 2 ** 7 = 128 sets, twice the bound of 64.
    with pytest.raises(AnnotationError, match="128 different sets"):
        parse("+".join(f"({n} or {n + 1})" for n in range(1, 15, 2)))


# arXiv 1805.02397, Table 9, one set of each line and every set of class IV with its misprint (40 for 10) undone.
@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("6+7+12", "I"),
        ("L12", "I"),
        ("R1+R2", "II"),
        ("25+26", "II"),
        ("4+5+7", "III"),
        ("17+24", "III"),
        ("4+10", "IV"),
        ("4+5+10", "IV"),
        ("4+9", "IV"),
        ("7+10", "IV"),
        ("15+17", "V"),
        ("4+1", "V"),
        ("20", "VI"),
        ("1+2+4", "VI"),
        ("4+40", "VII"),
        ("14", "VII"),
        ("?", "VII"),
        ("", "VII"),
        ("7B+ref(43)", "VII"),
        ("12A+ref(24)", "I"),
    ],
)
def test_objective_class_by_exact_set(cell: str, expected: str) -> None:
    assert objective_class(parse(cell)) == expected


def test_units_in_doubt_give_a_class_only_where_every_reading_gives_it() -> None:
    assert objective_class(parse("6 or 12")) == "I"
    assert objective_class(parse("L12 or L14")) == "VII"  # I or VII
    assert objective_class(parse("(R6 or R12)+R15")) == "VII"  # 6+15 is V, 12+15 is VII


@pytest.mark.parametrize(
    ("cell", "expected"), [(1, "I"), ("7", "VII"), (4.0, "IV"), (" vi ", "VI"), (None, None), ("", None)]
)
def test_objective_cells(cell: object, expected: str | None) -> None:
    assert objective_from(cell) == expected


@pytest.mark.parametrize("cell", [0, 8, "VIII", "x", 1.5])
def test_an_unknown_objective_class_is_an_annotation_error(cell: object) -> None:
    with pytest.raises(AnnotationError):
        objective_from(cell)


def test_units_survive_pickling() -> None:
    units = parse("(R6 or R12)+R15")
    assert pickle.loads(pickle.dumps(units)) == units
