"""What the README promises a newcomer: its model in ten lines works, its commands exist, its table is the demo's."""

import re
from pathlib import Path

import numpy as np
import pytest

import mebench
from mebench import plugins
from mebench.cli import cli
from mebench.evaluation import evaluate_task
from mebench.execute import recipe_of
from mebench.recipes import parse_recipe
from tests.toy import informative_inputs, toy_protocol, toy_table, toy_task

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
MODEL = next(block for block in BLOCKS if "class " in block)


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MODEL)
    return plugins.load_model(f"{path}:FlowSvm")


def test_the_model_in_ten_lines_is_a_model(mine):
    task = toy_task()
    model = mine.build({})
    assert parse_recipe(recipe_of(model)).privilege == "apex"
    made = evaluate_task(model, task, informative_inputs(task, noise=0.1))
    assert np.mean([row.predicted == row.truth for row in made.rows]) > 0.9


def test_the_model_has_about_ten_lines_of_its_own():
    code = [line for line in MODEL.splitlines() if line.strip() and not line.startswith(("#", "from", "import"))]
    assert len(code) <= 10


def test_the_python_example_runs_on_features_of_ones_own():
    from sklearn.linear_model import LogisticRegression

    table = toy_table()
    task = toy_task(table)
    protocol = toy_protocol(table)
    predictions = mebench.evaluate(LogisticRegression(), protocol, table, inputs=informative_inputs(task))
    cards = mebench.score(predictions, protocol, table)
    assert cards[0].strict["all"].coverage == 1


def test_every_verb_in_the_readme_exists():
    verbs = set(re.findall(r"^mebench (\w+)", README, re.MULTILINE)) | set(re.findall(r"`mebench (\w+)", README))
    assert verbs <= set(cli.commands)


def test_the_readme_names_every_grade_and_calls_lam_a_reconstruction():
    assert "LAM-like" in README
    assert "grade D" in README


def test_the_descriptor_alone_gives_the_vector_that_is_promised():
    code = next(block for block in BLOCKS if "lbp_top(volume" in block)
    names = {"volume": np.random.default_rng(0).integers(0, 256, (12, 40, 40), dtype=np.uint8)}
    exec(code, names)
    assert names["vector"].shape == (4425,)
    assert names["vector"].dtype == np.float32
