"""The shared torch trainer and the scikit-learn face of every network."""

from mebench.learning.augmentation import NO_AUGMENTATION, Augmentation
from mebench.learning.estimator import NetworkClassifier
from mebench.learning.inner import InnerSelected
from mebench.learning.settings import Group, History, Settings
from mebench.learning.trainer import train

__all__ = [
    "NO_AUGMENTATION",
    "Augmentation",
    "Group",
    "History",
    "InnerSelected",
    "NetworkClassifier",
    "Settings",
    "train",
]
