"""A corpus of three classes that exists in memory only, with a protocol and inputs to train on it."""

import zlib

import numpy as np
from numpy.typing import NDArray

from mebench.clips import Clip, ClipTable
from mebench.folds import FoldRule
from mebench.protocol import Counts, Protocol, Source, Task, resolve

CLASSES = ("happiness", "disgust", "surprise")


def toy_table(subjects: int = 4, clips: int = 6) -> ClipTable:
    """`clips` clips for each subject, the classes in turn."""
    return ClipTable(
        "casme2",
        "toy",
        tuple(
            Clip(f"casme2/sub{s:02d}/EP{c:02d}", "casme2", f"casme2/sub{s:02d}", 1, 5, 9, 200.0, CLASSES[(s + c) % 3])
            for s in range(1, subjects + 1)
            for c in range(clips)
        ),
    )


def toy_protocol(table: ClipTable, *, classes: tuple[str, ...] = CLASSES) -> Protocol:
    """Leave one subject out over the table's emotions."""
    counts = Counts(len(table), len(table.subjects), {c: table.count("emotion").get(c, 0) for c in classes})
    return Protocol(
        name="toy-loso",
        version=1,
        title="Toy",
        description="Three emotions, leave one subject out.",
        task="recognition",
        classes=classes,
        sources={"casme2": Source("casme2", "emotion", {c: c for c in classes}, {}, {"toy": counts})},
        folds=FoldRule("leave-one-subject-out"),
        metrics=("uf1", "uar"),
        aggregate="pooled",
        papers=(),
        digest="0" * 64,
    )


def toy_task(table: ClipTable | None = None) -> Task:
    """The toy protocol on a table, the default one if none is given."""
    given = table or toy_table()
    return resolve(toy_protocol(given), {"casme2": given})


def informative_inputs(task: Task, noise: float = 0.5) -> dict[str, NDArray[np.float32]]:
    """Per clip three numbers: its class one-hot plus noise of its own."""
    classes = task.protocol.classes
    found = {}
    for item in task.items:
        generator = np.random.default_rng(zlib.crc32(item.id.encode()))
        signal = np.eye(len(classes))[classes.index(item.label)]
        found[item.id] = (signal + noise * generator.standard_normal(len(classes))).astype(np.float32)
    return found
