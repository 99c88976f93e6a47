"""Models, datasets and protocols by name, from entry points or from a file.

The core imports no plugin by name: what ships with mebench registers exactly as a stranger's package would, through the
entry-point groups `mebench.models`, `mebench.datasets` and `mebench.protocols`.
"""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from mebench.errors import ModelError, UnknownName, UsageError

Kind = Literal["dataset", "executor", "face", "model", "protocol", "still"]


@dataclass(frozen=True, slots=True)
class Preset:
    """A model's parameters as one publication or release used them, and where that is written.

    A model class lists its presets by name in the attribute `presets`.
    """

    parameters: Mapping[str, Any]
    source: str


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model class with the name it was asked for and, for a model from a file, the SHA-256 of that file."""

    name: str
    factory: type[Any]
    digest: str | None = None

    def build(self, parameters: Mapping[str, str], preset: str | None = None) -> Any:
        """A model with the preset's parameters and, over them, these: each read from its text as its default's type.

        Raises UsageError for a parameter the model does not have or a value of the wrong type, UnknownName for a preset
        it does not have, ModelError for a preset that sets what the model does not have.
        """
        defaults = parameter_defaults(self.factory)
        unknown = sorted(set(parameters) - set(defaults))
        if unknown:
            raise UnknownName(f"parameter of {self.name}", unknown[0], defaults)
        typed = {key: _typed(key, text, defaults[key]) for key, text in parameters.items()}
        return self.factory(**{**self._preset(preset, defaults), **typed})

    def _preset(self, name: str | None, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
        if name is None:
            return {}
        presets = presets_of(self.factory)
        if name not in presets:
            raise UnknownName(f"preset of {self.name}", name, presets)
        strange = sorted(set(presets[name].parameters) - set(defaults))
        if strange:
            raise ModelError(
                f"The preset {name!r} of {self.name} sets {strange[0]!r}, which is no parameter of the model.",
                f"Correct it in the attribute presets; the parameters are {', '.join(defaults)}.",
            )
        return presets[name].parameters


def names(kind: Kind) -> tuple[str, ...]:
    """Every registered name of this kind, sorted."""
    return tuple(sorted(_registered(kind)))


def load(kind: Kind, name: str) -> Any:
    """The object registered under this name; raises UnknownName, or ModelError if its package is broken."""
    registered = _registered(kind)
    if name not in registered:
        raise UnknownName(kind, name, registered)
    entry = registered[name]
    try:
        return entry.load()
    except (ImportError, AttributeError) as fault:
        raise ModelError(
            f"The {kind} {name!r} is registered as {entry.value} but cannot be imported: {fault}.",
            "Reinstall the package that provides it.",
        ) from fault


def maker(kind: Kind, name: str) -> tuple[str, str, str]:
    """Name, distribution and version of what is registered under this name; UnknownName where nothing is."""
    registered = _registered(kind)
    if name not in registered:
        raise UnknownName(kind, name, registered)
    source = registered[name].dist
    return name, source.name if source else "", source.version if source else ""


def load_model(name: str) -> ModelSource:
    """The model of this name, or the class in `file.py:Class`."""
    path, colon, attribute = name.rpartition(":")
    if colon and path.endswith(".py"):
        return _model_from_file(Path(path), attribute)
    return ModelSource(name, load("model", name))


def parameter_defaults(factory: type[Any]) -> dict[str, Any]:
    """The keyword parameters of a model class with their defaults, `random_state` left out."""
    signature = inspect.signature(factory)
    kept = (p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD and p.name != "random_state")
    return {p.name: p.default for p in kept}


def presets_of(factory: type[Any]) -> Mapping[str, Preset]:
    """The presets a model class declares, by name; none where it declares none."""
    presets: Mapping[str, Preset] = getattr(factory, "presets", {})
    return presets


def _registered(kind: Kind) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"mebench.{kind}s")}


def _model_from_file(path: Path, attribute: str) -> ModelSource:
    try:
        source = path.read_bytes()
    except OSError as fault:
        raise UsageError(f"The model file {path} cannot be read: {fault.strerror}.", "Give file.py:Class.") from fault
    digest = hashlib.sha256(source).hexdigest()
    module = _import_file(path, f"mebench_model_{digest[:12]}")
    factory = getattr(module, attribute, None)
    if not isinstance(factory, type):
        raise UnknownName(f"model class in {path.name}", attribute, _classes(module))
    return ModelSource(f"{path.stem}.{attribute}", factory, digest)


def _import_file(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"The model file {path} is not a Python file.", "Give file.py:Class.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pickling a fitted model looks its class up here
    try:
        spec.loader.exec_module(module)
    except Exception as fault:  # a stranger's file may raise anything
        del sys.modules[name]
        raise ModelError(
            f"The model file {path} fails on import: {type(fault).__name__}: {fault}.",
            f"Run python {path} to see where.",
        ) from fault
    return module


def _classes(module: ModuleType) -> list[str]:
    return [n for n, v in vars(module).items() if isinstance(v, type) and v.__module__ == module.__name__]


def _typed(key: str, text: str, default: Any) -> Any:
    """The text as the type of the default; a default of None takes a number where the text is one."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.casefold()]
        if isinstance(default, int | float):
            return _number(text) if isinstance(default, float) else int(text)
        if isinstance(default, tuple):
            return _tuple(text, words=bool(default) and all(isinstance(value, str) for value in default))
    except (ValueError, KeyError) as fault:
        raise UsageError(f"Parameter {key}={text!r} does not fit its default {default!r}.", _wanted(default)) from fault
    if default is None or default is inspect.Parameter.empty:
        return _number_or_text(text)
    return text


def _tuple(text: str, *, words: bool) -> tuple[int | float | str, ...]:
    """The parts of a comma list, all numbers or all words; ValueError where one is not, or where words are none."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not words:
        return tuple(_number(part) for part in parts)
    if not parts or any(not isinstance(_number_or_text(part), str) for part in parts):
        raise ValueError(text)
    return tuple(parts)


def _wanted(default: Any) -> str:
    """What to give in place of this default."""
    if not isinstance(default, tuple):
        return f"Give a value of type {type(default).__name__}."
    words = any(isinstance(value, str) for value in default)
    example = f", such as {','.join(map(str, default))}" if default else ""
    return f"Give {'words' if words else 'numbers'} separated by commas{example}."


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _number_or_text(text: str) -> int | float | str | None:
    if text.casefold() == "none":
        return None
    try:
        return _number(text)
    except ValueError:
        return text
