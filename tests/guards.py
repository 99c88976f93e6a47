"""Removes each guard of the scientific promise in turn; a named test must turn red, and be green with the guard.

Usage: python tests/guards.py [build/tree]     (an installed tree; `make guards` builds it)
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Guard:
    """What is protected, the code that protects it, what stands there without protection, and the test that sees it."""

    name: str
    module: str
    code: str
    without: str
    test: str


GUARDS = (
    Guard(
        "expected counts are checked",
        "mebench/protocol.py",
        "    if not differences:\n        return False\n",
        "    if differences is not None:\n        return False\n",
        "tests/test_planted.py::test_a_wrong_count_is_named",
    ),
    Guard(
        "no subject stands on both sides",
        "mebench/folds.py",
        "        if crossing:\n",
        "        if crossing is None:\n",
        "tests/test_planted.py::test_a_subject_in_train_and_test_is_named",
    ),
    Guard(
        "no clip is predicted twice",
        "mebench/predictions.py",
        "        if first != line:\n",
        "        if first is None:\n",
        "tests/test_planted.py::test_a_duplicate_prediction_is_named",
    ),
    Guard(
        "no unknown clip is scored",
        "mebench/predictions.py",
        "        if row.clip not in expected:\n",
        "        if row.clip is None:\n",
        "tests/test_planted.py::test_an_unknown_clip_is_named",
    ),
    Guard(
        "predictions are joined by clip, not by order",
        "mebench/predictions.py",
        "tuple(rows[clip].predicted if clip in rows else None for clip in clips)",
        "tuple(row.predicted for row in rows.values())",
        "tests/test_planted.py::test_a_shuffled_file_scores_the_same",
    ),
    Guard(
        "held-out labels stay in the evaluator",
        "mebench/evaluation.py",
        "fit(train, [labels[c] for c in train], fold_seed(seed, fold.id))",
        "fit(train + test, [labels[c] for c in train + test], fold_seed(seed, fold.id))",
        "tests/test_planted.py::test_scrambled_held_out_labels_do_not_move_predictions",
    ),
    Guard(
        "held-out labels stay in the evaluator where folds are fitted at once",
        "mebench/evaluation.py",
        "train = {item.id: item.label for item in task.items}, with_inputs(fold, inputs)[0]",
        "train = {item.id: item.label for item in task.items}, sum(with_inputs(fold, inputs), [])",
        "tests/test_grouping.py::test_scrambled_held_out_labels_do_not_move_folds_fitted_at_once",
    ),
    Guard(
        "held-out action units stay in the evaluator",
        "mebench/evaluation.py",
        'fit(train, y, fold_seed(seed, f"{fold.id} {name}"))',
        "fit(train + test,"
        ' y + [PRESENT if name in held[c] else ABSENT for c in test], fold_seed(seed, f"{fold.id} {name}"))',
        "tests/test_units.py::test_held_out_units_do_not_move_predictions",
    ),
    Guard(
        "subjects reach a model as codes, never as names",
        "mebench/evaluation.py",
        "np.unique([subjects[c] for c in train], return_inverse=True)[1]",
        "np.array([subjects[c] for c in train])",
        "tests/test_evaluation.py::test_groups_are_training_subjects_as_codes",
    ),
    Guard(
        "a model cannot reach the cached inputs",
        "mebench/evaluation.py",
        "return [a.copy() for a in arrays]",
        "return arrays",
        "tests/test_evaluation.py::test_inputs_of_different_shapes_come_as_a_list",
    ),
    Guard(
        "the order of clips says nothing",
        "mebench/folds.py",
        "key=lambda item: sha256(item.id.encode()).digest()",
        "key=lambda item: item.label",
        "tests/test_folds.py::test_labels_move_neither_clips_nor_subject_folds",
    ),
    Guard(
        "a released protocol is never edited",
        "mebench/protocol_library.py",
        "if digests.get(released, loaded.digest) != loaded.digest:",
        "if digests is None:",
        "tests/test_planted.py::test_an_edited_released_protocol_is_named",
    ),
    Guard(
        "a correction applies to the value it was written for",
        "mebench/datasets/correct.py",
        "            if strict and entry.new is not None:\n",
        "            if entry is None:\n",
        "tests/test_planted.py::test_a_correction_whose_old_value_differs_is_named",
    ),
    Guard(
        "a run is not continued in another environment",
        "mebench/runs.py",
        '    if changed and seed_run.status() != "complete":\n',
        "    if changed is None:\n",
        "tests/test_runs.py::test_another_environment_is_not_mixed_in",
    ),
    Guard(
        "a rendered corpus judges no figure in print",
        "mebench/au_reference.py",
        "        if self.synthetic or self.partial:\n",
        "        if self.partial:\n",
        "tests/test_au_reference.py::test_a_rendered_corpus_never_judges_figures_in_print",
    ),
    Guard(
        "every configuration tried is counted",
        "mebench/runs.py",
        'return _ledger(home, spec["protocol"], spec["fingerprints"], spec["model"]) / f"{run_id}.json"',
        'return _ledger(home, spec["protocol"], spec["fingerprints"], spec["model"]) / "one.json"',
        "tests/test_runs.py::test_the_ledger_counts_configurations_once_and_forgets_none",
    ),
    Guard(
        "weights saw nobody who is tested",
        "mebench/weights/declared.py",
        "            if known:\n                raise ModelError(",
        "            if known is None:\n                raise ModelError(",
        "tests/test_weights.py::test_weights_are_refused_on_people_they_saw",
    ),
)


def main(tree: Path) -> int:
    """The number of guards whose removal no test sees."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        unseen = [guard.name for guard in GUARDS if not seen(guard, copy)]
    sys.stdout.write(f"guards: {len(GUARDS) - len(unseen)} of {len(GUARDS)} removals turn a test red\n")
    return len(unseen)


def seen(guard: Guard, copy: Path) -> bool:
    """Whether the test is green with the guard and red without it; says so."""
    path = copy / guard.module
    whole = path.read_text()
    if whole.count(guard.code) != 1:
        sys.stdout.write(f"LOST   {guard.name}: its code stands {whole.count(guard.code)} times in {guard.module}\n")
        return False
    green = passes(guard.test, copy)
    path.write_text(whole.replace(guard.code, guard.without))
    red = not passes(guard.test, copy)
    path.write_text(whole)
    verdict = "red   " if green and red else "UNSEEN" if green else "BROKEN"
    sys.stdout.write(f"{verdict} {guard.name}: {guard.test}\n")
    return green and red


def passes(test: str, copy: Path) -> bool:
    """Whether the test passes in the copy of the tree."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    return subprocess.run(command, cwd=copy, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "tree").resolve()))
