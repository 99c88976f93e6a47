"""Protocol files: what they say is checked, and every mistake is named with file, key and value on one line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mebench.errors import ProtocolError, UnknownName, UsageError
from mebench.folds import FoldRule
from mebench.protocol import Protocol, Suite, load_protocol

TEXT = """
schema = "mebench.protocol/1"
name = "mine"
version = 1
title = "Two classes"
description = "Anger against the rest."
task = "recognition"
classes = ["anger", "rest"]

[folds]
rule = "leave-one-subject-out"

[scoring]
metrics = ["uf1", "uar"]
aggregate = "pooled"

[datasets.samm]
field = "emotion"

[datasets.samm.labels]
anger = "anger"
fear = "rest"
others = "rest"

[datasets.samm.left_out]
sadness = "too few"

[[datasets.samm.exclude]]
clip = "samm/006/006_1_2"
reason = "blurred"
source = "our own look"

[[datasets.samm.counts]]
releases = ["facs-v2", "facs-v3"]
clips = 5
subjects = 2
per_class = { anger = 2, rest = 3 }

[datasets.samm.counts.clips_per_subject]
006 = 4
007 = 1

[[papers]]
citation = "Nobody: Nothing. 2020."
url = "https://example.org"
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes TEXT with one passage replaced; the passage must be there."""

    def _write(old: str = "", new: str = "", name: str = "mine.toml", text: str = TEXT) -> Path:
        assert old in text
        path = tmp_path / name
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    return _write


def load(path: Path) -> Protocol:
    loaded = load_protocol(path)
    assert isinstance(loaded, Protocol)
    return loaded


def test_a_file_is_read_as_written(write: Write) -> None:
    protocol = load(write())
    source = protocol.sources["samm"]
    assert (protocol.name, protocol.version, protocol.classes) == ("mine", 1, ("anger", "rest"))
    assert (protocol.folds, protocol.metrics) == (FoldRule("leave-one-subject-out"), ("uf1", "uar"))
    assert (protocol.aggregate, protocol.subject_independent, protocol.datasets) == ("pooled", True, ("samm",))
    assert source.labels == {"anger": "anger", "fear": "rest", "others": "rest"}
    assert source.exclusions[0].releases == ("facs-v2", "facs-v3")
    assert source.counts["facs-v2"] is source.counts["facs-v3"]
    assert source.counts["facs-v2"].clips_per_subject == {"006": 4, "007": 1}


SECOND_COUNTS = """
[[datasets.samm.counts]]
releases = ["facs-v2"]
clips = 1
subjects = 1
per_class = { anger = 1, rest = 0 }
[[papers]]
"""

MISTAKES = [
    # an unknown or misspelt key, wherever it stands
    ('title = "Two', 'titel = "Two', "mine.toml: title: is missing.", "Rename 'titel'."),
    ("[folds]", 'colour = "x"\n[folds]', "mine.toml: colour: is not a key of this table.", "Known: "),
    ("[folds]", "day = 2020-01-01\n[folds]", "mine.toml: day: is not a key of this table.", "Known: "),
    ('aggregate = "pooled"', 'aggregate = "pooled"\nmetric = "uf1"', "scoring.metric: is not a key", "metrics"),
    ('reason = "blurred"', 'reason = "x"\nrelease = []', "datasets.samm.exclude[1].release: is not a key", "releases"),
    ("[datasets.samm.left_out]", "[datasets.samm.leftout]", "datasets.samm.leftout: is not a key", "left_out"),
    ("clips = 5", "clips = 5\nclip = 5", "datasets.samm.counts[1].clip: is not a key", "clips"),
    (
        '[[papers]]\ncitation = "Nobody: Nothing. 2020."\nurl = "https://example.org"',
        "",
        "papers: is missing",
        "Add it",
    ),
    # a wrong type
    ("version = 1", 'version = "1"', "mine.toml: version: '1' is not a whole number.", "Give a whole number."),
    ("version = 1", "version = true", "version: True is not a whole number", "Give"),
    ("version = 1", "version = 0", "version: 0 is below 1", "Give 1 or more."),
    ('title = "Two classes"', 'title = " "', "title: is empty", "Write a text."),
    ('classes = ["anger", "rest"]', 'classes = ["anger", 2]', "classes: ['anger', 2] is not a list of texts", "Write"),
    ('classes = ["anger", "rest"]', 'classes = "anger"', "classes: 'anger' is not a list of texts", "Give"),
    ("[folds]\n", "[folds]\nk = 3\n", "folds.k: is not a key of this table", "Known: rule"),
    ("[[papers]]", "[papers]", "papers: {'citation'", "Give an array of tables."),
    # classes and labels
    ('classes = ["anger", "rest"]', 'classes = ["anger"]', "classes: ['anger'] is one class", "Declare two or more."),
    ('classes = ["anger", "rest"]', 'classes = ["anger", "anger"]', "classes: 'anger' stands twice", "Keep it once."),
    ('classes = ["anger", "rest"]', 'classes = ["anger", "a,b"]', "classes: 'a,b' does not match", "Choose another"),
    ('["anger", "rest"]', '["anger", "rest", "joy"]', "classes: no dataset maps a label to 'joy'", "Map one"),
    ('fear = "rest"', 'feer = "rest"', "datasets.samm.labels: 'feer' is not known", "Did you mean fear"),
    ('fear = "rest"', 'fear = "rests"', "datasets.samm.labels.fear: 'rests' is not known", "Did you mean rest?"),
    ('sadness = "too few"', 'anger = "too few"', "datasets.samm.left_out: 'anger' is not known", ""),
    ('field = "emotion"', 'field = "objective_class"', "datasets.samm.labels: 'anger' is not known", "Known: I, II"),
    (
        'field = "emotion"',
        'field = "emotions"',
        "datasets.samm.field: 'emotions' is not known",
        "Did you mean emotion",
    ),
    ('task = "recognition"', 'task = "spotting"', "task: 'spotting' is not known", "recognition"),
    # names
    ('name = "mine"', 'name = "../mine"', "name: '../mine' does not match", "Choose another name."),
    ('"mebench.protocol/1"', '"mebench.protocol/9"', "schema: 'mebench.protocol/9' is not known", "mebench.protocol/1"),
    # exclusions
    ("samm/006/006_1_2", "006_1_2", "datasets.samm.exclude[1].clip: '006_1_2' is not a clip id of samm", "Write samm/"),
    ("samm/006/006_1_2", "casme2/sub01/x", "clip: 'casme2/sub01/x' is not a clip id of samm", "Write samm/"),
    (
        "[[datasets.samm.counts]]",
        '[[datasets.samm.exclude]]\nclip = "samm/006/006_1_2"\nreason = "x"\nsource = "x"\n[[datasets.samm.counts]]',
        "datasets.samm.exclude[2].clip: 'samm/006/006_1_2' is excluded twice",
        "Keep one entry.",
    ),
    ('reason = "blurred"\n', "", "datasets.samm.exclude[1].reason: is missing", "Add it"),
    ('reason = "blurred"', 'reason = "x"\nreleases = ["v9"]', "exclude[1].releases: 'v9' is not known", "facs-v2"),
    (
        "[[datasets.samm.counts]]",
        '[datasets.samm.allow]\nclips = ["samm/006/006_1_3"]\nreason = "x"\nsource = "x"\n[[datasets.samm.counts]]',
        "datasets.samm.allow: stands beside exclude",
        "Keep one of the two.",
    ),
    # counts
    ("clips = 5", "clips = 6", "counts[1].per_class: sums to 5, not to clips = 6", "Correct one."),
    ("anger = 2, rest = 3", "anger = 5", "counts[1].per_class: 'rest' is missing", "Give a count for every class"),
    ("anger = 2, rest", "angry = 2, rest", "counts[1].per_class: 'angry' is not known", "Did you mean anger"),
    ("anger = 2", "anger = -2", "counts[1].per_class.anger: -2 is below 0", "Give 0 or more."),
    ("006 = 4", "006 = 3", "clips_per_subject: holds 4 clips of 2 subjects, not 5 of 2", "Correct one."),
    ("007 = 1", "", "clips_per_subject: holds 4 clips of 1 subjects, not 5 of 2", "Correct one."),
    (
        "[[papers]]",
        SECOND_COUNTS,
        "datasets.samm.counts[2].releases: 'facs-v2' is counted twice",
        "Keep one table per release.",
    ),
    # folds and scoring
    ("leave-one-subject-out", "leave-one-out", "folds.rule: 'leave-one-out' is not known", "leave-one-subject-out"),
    ("leave-one-subject-out", "hold-out-dataset", "folds.rule: 'hold-out-dataset' needs two datasets", "Add a dataset"),
    ("leave-one-subject-out", "leave-one-clip-out", "trains on the tested subject", "subject_independent = false"),
    ("leave-one-subject-out", "group-k-fold", "folds.k: is missing", "Add it: a whole number."),
    ('"leave-one-subject-out"', '"group-k-fold"\nk = 1\nseed = 0', "folds.k: 1 is below 2", "Give 2 or more."),
    ('["uf1", "uar"]', '["uf1", "war"]', "scoring.metrics: 'war' is not known", "Did you mean uar"),
    ('"pooled"', '"mean"', "scoring.aggregate: 'mean' is not known", "mean-over-folds"),
    # not TOML at all
    ("[folds]", "[folds", "mine.toml: not TOML: ", "Correct the file at that place."),
]


@pytest.mark.parametrize(("old", "new", "what", "fix"), MISTAKES)
def test_a_mistake_is_named_with_file_key_and_value(write: Write, old: str, new: str, what: str, fix: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        load_protocol(write(old, new))
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert caught.value.what.startswith("mine.toml: ")
    assert len(str(caught.value).splitlines()) == 2


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ProtocolError, match="not TOML"):
        load_protocol(path)


def test_a_file_that_is_not_there_is_a_fault_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        load_protocol(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version = 1\ntitle = "Two classes"', 'title = "Two classes"\nversion = 1'),
        ("[folds]", "# how clips are parted\n\n[folds]"),
        ("anger = 2, rest = 3", "rest =   3, anger = 2"),
        ('"Anger against the rest."', '"""\nAnger against\nthe rest."""'),
    ],
)
def test_layout_and_comments_do_not_change_the_digest(write: Write, old: str, new: str) -> None:
    before = load(write()).digest
    assert load(write(old, new)).digest == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ('fear = "rest"', 'fear = "anger"'),
        ("blurred", "shaken"),
        ('["uf1", "uar"]', '["uar", "uf1"]'),
        ("against the rest", "against all the rest"),
    ],
)
def test_content_changes_the_digest(write: Write, old: str, new: str) -> None:
    before = load(write()).digest
    assert load(write(old, new)).digest != before


def test_a_suite_in_a_file_names_protocols_by_name_or_beside_itself(write: Write) -> None:
    write()
    suite = load_protocol(
        write(
            name="both.toml",
            text='schema = "mebench.suite/1"\nname = "both"\nversion = 1\ntitle = "Both"\ndescription = "Both."\n'
            '[suite]\nmembers = ["mine.toml", "samm-5c-loso"]\n',
        )
    )
    assert isinstance(suite, Suite)
    assert [member.name for member in suite.members] == ["mine", "samm-5c-loso"]


@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ('["samm-5c-lose"]', UnknownName, "Did you mean samm-5c-loso"),
        ('["loso"]', ProtocolError, "loso.toml: schema: a suite stands as member of a suite"),
        ("[]", ProtocolError, "suite.members: .* is not a list of texts"),
        ('["samm-5c-loso"]\nmember = 1', ProtocolError, "suite.member: is not a key"),
        ('["samm-5c-loso"]\n[folds]', ProtocolError, "folds: is not a key"),
    ],
)
def test_a_wrong_suite_is_refused(write: Write, members: str, error: type[Exception], message: str) -> None:
    head = 'schema = "mebench.suite/1"\nname = "s"\nversion = 1\ntitle = "S"\ndescription = "S."\n'
    with pytest.raises(error, match=message):
        load_protocol(write(name="s.toml", text=f"{head}[suite]\nmembers = {members}\n"))


def test_a_suite_that_holds_itself_is_refused(write: Write) -> None:
    head = 'schema = "mebench.suite/1"\nname = "s"\nversion = 1\ntitle = "S"\ndescription = "S."\n'
    with pytest.raises(ProtocolError, match=r"s\.toml: schema: a suite stands as member of a suite"):
        load_protocol(write(name="s.toml", text=f'{head}[suite]\nmembers = ["s.toml"]\n'))
