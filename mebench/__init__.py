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
    from mebench.errors import DataError, MebenchError, ModelError, UnknownName, UsageError
    from mebench.inner import inner_folds, macro_f1
    from mebench.learning import Augmentation, Group, InnerSelected, NetworkClassifier, Settings
    from mebench.plugins import Preset
    from mebench.predictions import Prediction, Predictions
    from mebench.protocol import Protocol, Suite, Task, load_protocol
    from mebench.recipes import Sample, Step, step
    from mebench.weights.files import load_weights

_HOME_OF = {
    "Augmentation": "mebench.learning",
    "Clip": "mebench.clips",
    "ClipTable": "mebench.clips",
    "DataError": "mebench.errors",
    "Group": "mebench.learning",
    "InnerSelected": "mebench.learning",
    "MebenchError": "mebench.errors",
    "ModelError": "mebench.errors",
    "NetworkClassifier": "mebench.learning",
    "Prediction": "mebench.predictions",
    "Predictions": "mebench.predictions",
    "Preset": "mebench.plugins",
    "Protocol": "mebench.protocol",
    "Sample": "mebench.recipes",
    "Settings": "mebench.learning",
    "Step": "mebench.recipes",
    "Suite": "mebench.protocol",
    "Task": "mebench.protocol",
    "UnknownName": "mebench.errors",
    "UsageError": "mebench.errors",
    "evaluate": "mebench.api",
    "inner_folds": "mebench.inner",
    "load_clips": "mebench.api",
    "load_protocol": "mebench.protocol",
    "load_weights": "mebench.weights.files",
    "macro_f1": "mebench.inner",
    "run": "mebench.api",
    "score": "mebench.api",
    "step": "mebench.recipes",
}

__all__ = [
    "Augmentation",
    "Clip",
    "ClipTable",
    "DataError",
    "Group",
    "InnerSelected",
    "MebenchError",
    "ModelError",
    "NetworkClassifier",
    "Prediction",
    "Predictions",
    "Preset",
    "Protocol",
    "Sample",
    "Settings",
    "Step",
    "Suite",
    "Task",
    "UnknownName",
    "UsageError",
    "__version__",
    "evaluate",
    "inner_folds",
    "load_clips",
    "load_protocol",
    "load_weights",
    "macro_f1",
    "run",
    "score",
    "step",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'mebench' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
