"""A short sweep of bad input over every reader; `make fuzz` is the whole one. The harness itself is tried first."""

import ast
from pathlib import Path

import pytest

from tests.fuzz.found import BUGS, KEPT
from tests.fuzz.readers import PLANTED, READERS
from tests.fuzz.sweep import Job, outcomes, table

FEW = 8
FULL = 2_000
EXPECTED = {
    "planted sound": "read",
    "planted refused": "refused",
    "planted mute": "traceback",
    "planted traceback": "traceback",
    "planted spoken": "refused",
    "planted miscount": "miscount",
    "planted wrote": "wrote",
    "planted wrote in C": "wrote",
    "planted ran": "wrote",
    "planted memory": "memory",
    "planted died": "died",
    "planted hang": "hang",
    "planted busy": "hang",
    "planted sound again": "read",
}


def test_the_harness_sees_every_kind_of_fault_and_goes_on_behind_it():
    jobs = [Job(name.removesuffix(" again"), 0, 1) for name in EXPECTED]
    assert set(PLANTED) == {job.reader for job in jobs}
    found = list(outcomes(jobs, limit_s=3))
    assert dict(zip(EXPECTED, (one.kind for one in found), strict=True)) == EXPECTED


def test_a_few_inputs_and_those_that_found_something_before_end_well():
    jobs = [Job(reader, 0, FEW) for reader in READERS]
    jobs += [Job(reader, seed, 1) for reader, seeds in KEPT.items() for seed in seeds]
    found = list(outcomes(jobs))
    assert len(found) == sum(job.count for job in jobs)
    assert [(one.reader, one.seed, one.kind, one.title, one.said) for one in found if one.fault] == []


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_thousands_of_inputs_end_well(reader):
    found = list(outcomes([Job(reader, 0, FULL)]))
    assert len(found) == FULL
    assert [(one.seed, one.kind, one.title, one.said) for one in found if one.fault] == []
    assert sum(one.valid for one in found) >= FULL / 2
    assert {"read"} <= {one.kind for one in found} <= {"read", "refused"}


def test_an_input_is_the_same_whenever_it_is_asked_for():
    once, again = (list(outcomes([Job("protocol TOML", 3, 4)])) for _ in range(2))
    assert [(one.kind, one.title) for one in once] == [(one.kind, one.title) for one in again]
    assert len({one.title for one in once}) > 1


def test_every_bug_has_a_test_that_holds_it():
    tests = {}
    for file in Path(__file__).parent.glob("test_*.py"):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        tests[file.name] = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    for bug in BUGS:
        file, _, name = bug.test.partition("::")
        assert name.rpartition("::")[2] in tests[file], bug
        assert bug.reader in (*READERS, "every verb"), bug


def test_the_table_counts_what_became_of_the_inputs():
    found = list(outcomes([Job("planted sound", 0, 3), Job("planted traceback", 5, 2)]))
    lines = table(found).splitlines()
    names = lines[0].split()
    sound, wrong = (dict(zip(names, _cells(line), strict=False)) for line in lines[1:3])
    assert (sound["inputs"], sound["read"], sound["traceback"]) == ("3", "3", "0")
    assert (wrong["inputs"], wrong["read"], wrong["traceback"]) == ("2", "0", "2")


def _cells(line: str) -> list[str]:
    """The cells of a line of the table, whose first column holds blanks."""
    words = line.split()
    first = next(i for i, word in enumerate(words) if word.isdigit())
    return [" ".join(words[:first]), *words[first:]]
