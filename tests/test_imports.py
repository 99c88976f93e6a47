"""A quick start: what the command line and the record import, read from a fresh interpreter's sys.modules."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "cv2", "dlib", "sklearn", "scipy", "matplotlib"}
LIGHT = ["clips", "facs", "protocol", "runs", "leaderboard", "plugins", "errors"]


def modules_after(statement: str) -> set[str]:
    """Top-level names in sys.modules of a fresh interpreter after the statement."""
    code = f"import json, sys; {statement}; print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", LIGHT)
def test_the_record_does_without_heavy_libraries(module):
    assert not modules_after(f"import mebench.{module}") & HEAVY


def test_the_package_is_lazy():
    assert not modules_after("import mebench") & {*HEAVY, "numpy", "pandas", "click"}


def test_the_command_line_imports_click_and_the_standard_library():
    loaded = modules_after("import mebench.cli")
    third_party = {m for m in loaded if m not in sys.stdlib_module_names and not m.startswith("_")}
    assert third_party - {"click", "mebench", "colorama"} <= {"distutils-precedence", "sitecustomize"}


def test_help_imports_no_more():
    quiet = "sys.stdout = open('/dev/null', 'w'); status(['--help']); sys.stdout = sys.__stdout__"
    done = modules_after(f"from mebench.cli import status; {quiet}")
    assert not done & {*HEAVY, "numpy", "pandas"}


def test_the_scorer_imports_numpy_alone():
    loaded = modules_after("import mebench.scoring")
    third_party = {m for m in loaded if m not in sys.stdlib_module_names and not m.startswith("_")}
    assert third_party - {"mebench", "numpy", "sitecustomize", "distutils-precedence"} == set()


def test_every_public_name_loads():
    import mebench

    for name in mebench.__all__:
        assert getattr(mebench, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        mebench.nothing  # noqa: B018


@pytest.mark.parametrize("folder", ["baselines", "lam", "protocols"])
def test_a_mapped_folder_refuses_its_folder_name(folder):
    from pathlib import Path

    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "import it by that name" in done.stderr
