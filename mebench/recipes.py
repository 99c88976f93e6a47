"""Recipes: the steps from a stored clip to the array a model is given, written as text.

    align(size=224) > onset-apex > magnify(phase, factor=6) > apex

A step is a function from `Sample` to `Sample` with keyword parameters and a version. It declares which kinds it takes
and gives, which human annotation it reads and which packages shape its result. The core steps are those of
`mebench.steps` and `mebench.planes`; other packages register theirs through the entry-point group `mebench.steps`.
"""

import hashlib
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from types import NoneType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from mebench.clips import canonical_json
from mebench.errors import MebenchError, ModelError, UnknownName, UsageError
from mebench.grammar import Call, parse_calls, spell

Kind = Literal["frames", "pair", "image", "flow", "planes", "vector"]
Privilege = Literal["none", "interval", "apex", "aus"]
Parameters: TypeAlias = Mapping[str, Any]

PRIVILEGES: tuple[Privilege, ...] = get_args(Privilege)
"""Least first: what human annotation of a held-out clip an input leans on."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A clip on its way through a recipe.

    `array` by `kind`: frames (t, h, w[, 3]), pair (2, h, w[, 3]) onset then apex, image (h, w[, 3]), all uint8 with
    colours as RGB; flow (h, w, c) or (t, h, w, c) float32, whose `channels` say what each of the c fields is: "u" and
    "v" in px, x right and y down, "magnitude" in px, "strain" without unit, or a view of a pair in grey levels; planes
    (c, h, w) float32, such fields with their channels first; vector (d,).
    `landmarks` (68, 2) px and `box` (x0, y0, x1, y1) px are those of the onset, in the coordinates of `array`. `motion`
    (t, 2, 3) maps onset coordinates to those of each frame, and is the identity once aligned.
    `apex_index` is the frame coded as apex; it is None where none is coded and in every recipe whose steps do not
    declare the privilege "apex". `flags` say what was done for want of something better.
    """

    array: npt.NDArray[Any]
    kind: Kind
    landmarks: npt.NDArray[np.float32]
    motion: npt.NDArray[np.float64]
    box: npt.NDArray[np.float64]
    fps: float
    onset_index: int = 0
    apex_index: int | None = None
    channels: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


_CORE = ("mebench.steps", "mebench.planes")
"""Where the core steps stand."""

PrivilegeRule: TypeAlias = Privilege | Callable[[Kind, Parameters], Privilege]
ContentRule: TypeAlias = Callable[[Parameters], Parameters]


@dataclass(frozen=True, slots=True)
class Step:
    """One named operation on samples.

    `version` changes whenever the result of `apply` does: it is part of every cache key. `gives` None means the kind
    that was taken. `privilege` is the annotation read beyond onset and offset, or a function of the kind taken and the
    parameters. `tools` are the distributions whose version shapes the result. `content` says of parameters that name
    files what lies in these: it stands in their place wherever the result is known by what it depends on.
    """

    name: str
    version: int
    apply: Callable[..., Sample]
    accepts: frozenset[Kind]
    gives: Kind | None = None
    privilege: PrivilegeRule = "none"
    tools: tuple[str, ...] = ()
    content: ContentRule | None = None

    def bind(self, call: Call) -> dict[str, Any]:
        """Every parameter of the step with its value: from the call, else the default.

        Raises UsageError for a parameter that is unknown, missing, given twice or of the wrong type.
        """
        parameters = list(inspect.signature(self.apply).parameters.values())[1:]
        given = self._named(call, [p.name for p in parameters])
        missing = [p.name for p in parameters if p.default is p.empty and p.name not in given]
        if missing:
            raise UsageError(f"Step {self.name} needs {missing[0]}.", f"Write {self.name}({missing[0]}=...).")
        hints = get_type_hints(self.apply)
        values = {p.name: given.get(p.name, p.default) for p in parameters}
        return {name: _checked(self.name, name, value, hints.get(name, Any)) for name, value in values.items()}

    def _named(self, call: Call, names: list[str]) -> dict[str, Any]:
        if len(call.positional) > len(names):
            raise UsageError(
                f"Step {self.name} takes {len(names)} parameters, {len(call.positional)} are given.",
                f"Its parameters: {', '.join(names) or 'none'}.",
            )
        given = dict(zip(names, call.positional, strict=False))
        for name, value in call.named:
            if name not in names:
                raise UnknownName(f"parameter of step {self.name}", name, names)
            if name in given:
                raise UsageError(f"Step {self.name} is given {name} twice.", "Give it once.")
            given[name] = value
        return given

    def reads(self, kind: Kind, parameters: Parameters) -> Privilege:
        """The annotation this step reads when it takes this kind with these parameters."""
        return self.privilege(kind, parameters) if callable(self.privilege) else self.privilege


def step(
    name: str,
    version: int,
    *,
    accepts: Collection[Kind],
    gives: Kind | None = None,
    privilege: PrivilegeRule = "none",
    tools: tuple[str, ...] = (),
    content: ContentRule | None = None,
) -> Callable[[Callable[..., Sample]], Step]:
    """A decorator that makes a `Step` of a function `(sample, **parameters) -> Sample`."""
    return lambda function: Step(name, version, function, frozenset(accepts), gives, privilege, tools, content)


@dataclass(frozen=True)
class BoundStep:
    """A step with all its parameters, and the kind it takes at its place in the recipe."""

    step: Step
    parameters: Parameters
    takes: Kind

    @property
    def gives(self) -> Kind:
        return self.step.gives or self.takes

    @property
    def privilege(self) -> Privilege:
        return self.step.reads(self.takes, self.parameters)

    def identity(self) -> list[Any]:
        """What the result depends on, as plain JSON values."""
        tools = {tool: _tool_version(self.step.name, tool) for tool in self.step.tools}
        content = self.step.content(self.parameters) if self.step.content else {}
        return [self.step.name, self.step.version, {**self.parameters, **content}, tools]

    def __str__(self) -> str:
        signature = inspect.signature(self.step.apply).parameters
        changed = {k: v for k, v in self.parameters.items() if v != signature[k].default}
        arguments = ", ".join(f"{name}={spell(value)}" for name, value in changed.items())
        return f"{self.step.name}({arguments})" if arguments else self.step.name


@dataclass(frozen=True)
class Recipe:
    """Steps in order; no steps at all is the recipe `none`, for models that look at nothing."""

    steps: tuple[BoundStep, ...]

    @property
    def privilege(self) -> Privilege:
        """The annotation of a held-out clip that the input leans on.

        A stored clip is cut from onset to offset, so any recipe that opens one leans on the interval at least.
        """
        return max(("interval", *(s.privilege for s in self.steps)), key=PRIVILEGES.index) if self.steps else "none"

    @property
    def gives(self) -> Kind:
        return self.steps[-1].gives if self.steps else "vector"

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every step's name, version, parameters and tool versions."""
        return _digest([s.identity() for s in self.steps])

    def key(self, stored: str, interval: tuple[int, int], apex: int | None) -> str:
        """SHA-256 that names the input of one clip: the stored digest, onset and offset, and the recipe.

        The apex counts only where the recipe reads it: correcting it elsewhere changes nothing.
        """
        return _digest([self.digest, stored, *interval, apex if self.reads_apex else None])

    @property
    def reads_apex(self) -> bool:
        return PRIVILEGES.index(self.privilege) >= PRIVILEGES.index("apex")

    @property
    def apex_source(self) -> str:
        """Whose apex the input takes: `coded`, the `source` that a step on whole clips names instead, or "" for none.

        Steps that find an apex in frames name where it is from by a parameter of that name.
        """
        for bound in self.steps:
            if bound.privilege == "apex":
                return "coded"
            if bound.takes == "frames" and "source" in bound.parameters:
                return str(bound.parameters["source"])
        return ""

    def apply(self, sample: Sample) -> Sample:
        """The sample after all steps; ModelError where a step raises what no step should."""
        for bound in self.steps:
            try:
                sample = bound.step.apply(sample, **bound.parameters)
            except MebenchError:
                raise
            except Exception as fault:  # a stranger's step may raise anything
                raise ModelError(
                    f"Step {bound} fails: {type(fault).__name__}: {fault}.", "Correct the recipe or the step."
                ) from fault
        return sample

    def __str__(self) -> str:
        return " > ".join(str(s) for s in self.steps) or "none"


def parse_recipe(text: str) -> Recipe:
    """The recipe a text describes: `name(value, key=value) > ...`, or `none`.

    Raises UsageError where the text does not parse, a parameter does not fit, or a step cannot take what the step
    before it gives, and UnknownName for a step that does not exist.
    """
    calls = parse_calls(text)
    if [c.name for c in calls] == ["none"]:
        return Recipe(())
    steps: list[BoundStep] = []
    kind: Kind = "frames"
    for call in calls:
        found = find_step(call.name)
        if kind not in found.accepts:
            before = f"{steps[-1].step.name} gives" if steps else "a stored clip is"
            raise UsageError(
                f"Recipe {text!r}: {found.name} takes {' or '.join(sorted(found.accepts))}, but {before} {kind}.",
                "Put a step between that gives what it takes.",
            )
        steps.append(BoundStep(found, found.bind(call), kind))
        kind = steps[-1].gives
    return Recipe(tuple(steps))


def find_step(name: str) -> Step:
    """The step of this name; UnknownName with near names where there is none."""
    core = _core_steps()
    if name in core:
        return core[name]
    registered = {entry.name: entry for entry in entry_points(group="mebench.steps")}
    if name not in registered:
        raise UnknownName("step", name, [*core, *registered])
    entry = registered[name]
    try:
        found = entry.load()
    except (ImportError, AttributeError) as fault:
        raise ModelError(
            f"The step {name!r} is registered as {entry.value} but cannot be imported: {fault}.",
            "Reinstall the package that provides it.",
        ) from fault
    if not isinstance(found, Step) or found.name != name:
        raise ModelError(
            f"The entry point {name!r} in mebench.steps is not a step of that name.",
            "Register the object that the decorator mebench.inputs.step returns.",
        )
    return found


@cache
def _core_steps() -> dict[str, Step]:
    modules = (import_module(name) for name in _CORE)
    return {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Step)}


def _checked(step_name: str, name: str, value: Any, hint: Any) -> Any:
    """The value as the type hint wants it; hints other than plain types, unions of them and literals pass all."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UnknownName(f"{name} of step {step_name}", str(value), [str(a) for a in get_args(hint)])
        return value
    kinds = [kind for kind in get_args(hint) or (hint,) if kind in (bool, int, float, str, NoneType)]
    if float in kinds and type(value) is int:
        return float(value)
    if kinds and type(value) not in kinds:
        raise UsageError(
            f"Step {step_name}: {name}={spell(value)} is no {' or '.join(k.__name__ for k in kinds)}.",
            f"Give {name} a value of that type.",
        )
    return value


def _tool_version(step_name: str, tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError as error:
        raise ModelError(f"Step {step_name} needs {tool}, which is not installed.", f"Install {tool}.") from error


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


__all__ = [
    "PRIVILEGES",
    "BoundStep",
    "Kind",
    "Parameters",
    "Privilege",
    "Recipe",
    "Sample",
    "Step",
    "find_step",
    "parse_recipe",
    "step",
]
