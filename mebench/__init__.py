"""mebench: a benchmark for facial micro-expression recognition.

The names in `__all__` are the public API, and nothing else is. They load when first used, so that `import mebench`
costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mebench.version import __version__

if TYPE_CHECKING:
    from mebench.api import evaluate, load_clips, run, score
    from mebench.clips import Clip, ClipTable
    from mebench.errors import MebenchError
    from mebench.inputs import Sample, Step
    from mebench.learning.estimator import NetworkClassifier
    from mebench.predictions import Prediction, Predictions
    from mebench.protocol import Protocol, Suite, Task, load_protocol

_HOME_OF = {
    "Clip": "mebench.clips",
    "ClipTable": "mebench.clips",
    "MebenchError": "mebench.errors",
    "NetworkClassifier": "mebench.learning.estimator",
    "Prediction": "mebench.predictions",
    "Predictions": "mebench.predictions",
    "Protocol": "mebench.protocol",
    "Sample": "mebench.inputs",
    "Step": "mebench.inputs",
    "Suite": "mebench.protocol",
    "Task": "mebench.protocol",
    "evaluate": "mebench.api",
    "load_clips": "mebench.api",
    "load_protocol": "mebench.protocol",
    "run": "mebench.api",
    "score": "mebench.api",
}

__all__ = [
    "Clip",
    "ClipTable",
    "MebenchError",
    "NetworkClassifier",
    "Prediction",
    "Predictions",
    "Protocol",
    "Sample",
    "Step",
    "Suite",
    "Task",
    "__version__",
    "evaluate",
    "load_clips",
    "load_protocol",
    "run",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mebench' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
