"""The cache of inputs: computed once, verified, never stale."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mebench.clips import ClipTable
from mebench.datasets.casme2 import DATASET
from mebench.errors import DataError, StoreError, UsageError
from mebench.files import FAULT_POINTS, sidecar
from mebench.inputs import InputSet, Sample, compute_inputs, parse_recipe, sample_of, step
from mebench.prepare import prepare
from mebench.recipes import BoundStep, Recipe
from mebench.store import clip_path, read_clip, remove_clip
from tests.killing import killed_at
from tests.small_corpus import CLIPS, ONSET, frame, frame_path, write_corpus, write_frame

RECIPE = "align(size=48) > grey > onset-apex"
IDS = [f"casme2/sub01/{name}" for name in CLIPS]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(DATASET, write_corpus(folder / "corpus"), folder / "home")
    return folder


@pytest.fixture
def home(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared / "home", tmp_path / "home"))


@pytest.fixture
def table(prepared: Path) -> ClipTable:
    return DATASET.load(prepared / "corpus")


def cache(home: Path) -> dict[str, bytes]:
    folder = home / "inputs"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def changed_at(home: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in (home / "inputs").rglob("*.npy")}


class TestWhatComesBack:
    def test_the_recipe_applied_to_the_stored_clip(self, home: Path, table: ClipTable) -> None:
        made = compute_inputs(home, RECIPE, table)
        assert list(made) == IDS
        for clip_id in IDS:
            expected = parse_recipe(RECIPE).apply(sample_of(read_clip(home, clip_id), ONSET + 3)).array
            assert expected.shape == (2, 48, 48)
            np.testing.assert_array_equal(made[clip_id], expected)
            assert made[clip_id].dtype == np.uint8

    def test_workers_make_the_same(self, home: Path, table: ClipTable, tmp_path: Path) -> None:
        alone = compute_inputs(home, RECIPE, table)
        reference = cache(home)
        shutil.rmtree(home / "inputs")
        together = compute_inputs(home, RECIPE, table, jobs=2)
        assert cache(home) == reference
        assert together.key == alone.key

    def test_a_set_travels_to_workers(self, home: Path, table: ClipTable) -> None:
        made = compute_inputs(home, RECIPE, table)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(made))[IDS[0]], made[IDS[0]])

    def test_progress_counts_clips(self, home: Path, table: ClipTable) -> None:
        seen: list[tuple[int, int, str]] = []
        compute_inputs(home, RECIPE, table, progress=lambda done, total, what: seen.append((done, total, what)))
        assert seen == [(1, 2, IDS[0]), (2, 2, IDS[1])]


class TestOnce:
    def test_nothing_is_computed_twice(self, home: Path, table: ClipTable) -> None:
        compute_inputs(home, RECIPE, table)
        before = changed_at(home)
        compute_inputs(home, " align( 48 )>grey>onset-apex", table)
        assert changed_at(home) == before

    def test_labels_do_not_count_but_frames_and_apex_do(self, home: Path, table: ClipTable) -> None:
        first = compute_inputs(home, RECIPE, table)
        relabelled = [replace(clip, emotion="happiness") for clip in table]
        assert compute_inputs(home, RECIPE, relabelled).key == first.key
        moved = [replace(clip, apex=ONSET + 2) for clip in table]
        other = compute_inputs(home, RECIPE, moved)
        assert other.key != first.key
        assert not np.array_equal(other[IDS[0]], first[IDS[0]])
        np.testing.assert_array_equal(compute_inputs(home, RECIPE, table)[IDS[0]], first[IDS[0]])

    def test_an_apex_that_is_not_read_does_not_count(self, home: Path, table: ClipTable) -> None:
        recipe = "align(size=48) > onset"
        moved = [replace(clip, apex=None) for clip in table]
        assert compute_inputs(home, recipe, moved).key == compute_inputs(home, recipe, table).key

    def test_changed_frames_change_the_input(
        self, prepared: Path, home: Path, table: ClipTable, tmp_path: Path
    ) -> None:
        first = compute_inputs(home, RECIPE, table)
        before = first[IDS[0]]
        corpus = Path(shutil.copytree(prepared / "corpus", tmp_path / "corpus"))
        write_frame(frame_path(corpus, CLIPS[0], ONSET + 3), frame(3, seed=77))
        prepare(DATASET, corpus, home)
        second = compute_inputs(home, RECIPE, table)
        assert second.clip_keys[IDS[0]] != first.clip_keys[IDS[0]]
        assert second.clip_keys[IDS[1]] == first.clip_keys[IDS[1]]
        assert not np.array_equal(second[IDS[0]], before)

    @pytest.mark.parametrize("victim", ["data", "digest", "cut"])
    def test_a_damaged_input_is_made_again(self, home: Path, table: ClipTable, victim: str) -> None:
        made = compute_inputs(home, RECIPE, table)
        reference = cache(home)
        path = made.files[IDS[0]]
        if victim == "data":
            path.write_bytes(path.read_bytes()[:-1] + b"\x00")
        if victim == "cut":
            path.write_bytes(path.read_bytes()[:100])
        if victim == "digest":
            sidecar(path).unlink()
        with pytest.raises(StoreError):
            made[IDS[0]]
        untouched = made.files[IDS[1]].stat().st_mtime_ns
        compute_inputs(home, RECIPE, table)
        assert cache(home) == reference
        assert made.files[IDS[1]].stat().st_mtime_ns == untouched

    @pytest.mark.parametrize("point", FAULT_POINTS)
    def test_after_a_kill_the_same_call_completes(self, home: Path, table: ClipTable, point: str) -> None:
        compute_inputs(home, RECIPE, table)
        reference = cache(home)
        shutil.rmtree(home / "inputs")
        # passes: recipe.json, then data and digest of each clip
        assert killed_at(point, 4, lambda: compute_inputs(home, RECIPE, table))
        before = changed_at(home)
        compute_inputs(home, RECIPE, table)
        assert cache(home) == reference
        assert {p: t for p, t in changed_at(home).items() if IDS[0] in p} == {
            p: t for p, t in before.items() if IDS[0] in p
        }


class TestMissing:
    def test_a_clip_that_is_not_in_the_store(self, home: Path, table: ClipTable) -> None:
        remove_clip(home, IDS[0])
        made = compute_inputs(home, RECIPE, table)
        assert list(made) == IDS[1:]
        assert "cannot be read from the store" in made.missing[IDS[0]]
        assert IDS[0] not in made

    def test_what_prepare_said_is_the_reason(self, prepared: Path, table: ClipTable, tmp_path: Path) -> None:
        corpus = Path(shutil.copytree(prepared / "corpus", tmp_path / "corpus"))
        frame_path(corpus, CLIPS[0], ONSET).unlink()
        prepare(DATASET, corpus, tmp_path / "home")
        missing = compute_inputs(tmp_path / "home", RECIPE, table).missing
        assert f"the onset frame {ONSET} is not in" in missing[IDS[0]]

    def test_a_stored_clip_that_is_damaged(self, home: Path, table: ClipTable) -> None:
        path = clip_path(home, IDS[0])
        path.write_bytes(path.read_bytes()[:-1])
        made = compute_inputs(home, RECIPE, table)
        assert list(made) == IDS[1:]
        assert "is damaged" in made.missing[IDS[0]]

    def test_a_clip_that_was_cut_at_another_interval(self, home: Path, table: ClipTable) -> None:
        clips = [replace(table[IDS[0]], offset=ONSET + 4), table[IDS[1]]]
        assert (
            "was prepared for frames (46, 51), now it is (46, 50)"
            in compute_inputs(home, RECIPE, clips).missing[IDS[0]]
        )

    def test_no_clip_at_all_is_an_error(self, home: Path, table: ClipTable, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"None of 2 clips has an input .*\n.*mebench prepare casme2"):
            compute_inputs(tmp_path / "empty", RECIPE, table)
        uncoded = [replace(clip, apex=None) for clip in table]
        with pytest.raises(DataError, match="No apex is coded"):
            compute_inputs(home, "align(size=48) > apex(missing=error)", uncoded)

    def test_an_uncoded_apex_is_flagged(self, home: Path, table: ClipTable) -> None:
        clips = [replace(table[IDS[0]], apex=None), table[IDS[1]]]
        for _ in range(2):  # computed, then from the cache
            assert compute_inputs(home, RECIPE, clips).flags == {IDS[0]: ("apex-middle",)}

    def test_an_apex_outside_the_clip_is_flagged(self, home: Path, table: ClipTable) -> None:
        clips = [replace(table[IDS[0]], apex=7), table[IDS[1]]]
        assert compute_inputs(home, RECIPE, clips).flags == {IDS[0]: ("coded-apex-outside-clip", "apex-middle")}

    def test_the_recipe_none_has_no_input(self, home: Path, table: ClipTable) -> None:
        with pytest.raises(UsageError, match="looks at nothing"):
            compute_inputs(home, "none", table)


class TestPrivilege:
    def test_a_step_that_does_not_declare_the_apex_never_sees_it(self, home: Path, table: ClipTable) -> None:
        seen: list[int | None] = []

        @step("spy", 1, accepts={"frames"}, gives="vector")
        def spy(sample: Sample) -> Sample:
            seen.append(sample.apex_index)
            return replace(sample, array=np.zeros(1), kind="vector")

        honest = replace(spy, name="honest", privilege="apex")
        for bound in (spy, honest):
            self.compute(home, table, Recipe((BoundStep(bound, {}, "frames"),)))
        assert seen == [None, None, 3, 3]

    def test_values_that_are_no_numbers_are_refused(self, home: Path, table: ClipTable) -> None:
        @step("odd", 1, accepts={"frames"}, gives="vector")
        def odd(sample: Sample) -> Sample:
            return replace(sample, array=np.array([np.nan]), kind="vector")

        with pytest.raises(DataError, match="no finite numbers"):
            self.compute(home, table, Recipe((BoundStep(odd, {}, "frames"),)))

    def compute(self, home: Path, table: ClipTable, recipe: Recipe) -> InputSet:
        """The inputs of a recipe whose steps no worker could find by name."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mebench.inputs.parse_recipe", lambda _: recipe)
            return compute_inputs(home, recipe, table)
