"""Where a registered model comes from: its distribution, and the digest of the source files it is made of."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec, resolve_name
from pathlib import Path

from mebench.clips import canonical_json
from mebench.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Origin:
    """A model's distribution and version, and per source module the SHA-256 of its file."""

    distribution: str
    version: str
    modules: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 over the modules and their digests."""
        return hashlib.sha256(canonical_json(self.modules).encode()).hexdigest()


def origin_of(model: str) -> Origin:
    """Where the model registered under this name comes from; raises UnknownName where none is.

    Its modules are the one that defines it and whatever that imports of its own top package, and so on: read from the
    source, not run, so that an import at run time or by a computed name is not seen. The top package's own `__init__`
    and imports for type checkers are left out.
    """
    registered = {entry.name: entry for entry in entry_points(group="mebench.models")}
    if model not in registered:
        raise UnknownName("model", model, registered)
    entry = registered[model]
    found: dict[str, str] = {}
    waiting = [entry.module]
    while waiting:
        name = waiting.pop()
        path = _file_of(name)
        if name in found or path is None:
            continue
        source = path.read_bytes()
        found[name] = hashlib.sha256(source).hexdigest()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += _own_imports(source, package, name.partition(".")[0])
    distribution = entry.dist
    return Origin(
        distribution.name if distribution else "unknown", distribution.version if distribution else "unknown",
        dict(sorted(found.items())),
    )  # fmt: skip


def imports_beside(source: bytes, folder: Path) -> tuple[str, ...]:
    """The modules that a model file imports from its own folder, and that therefore do not travel with it."""
    names = {name.partition(".")[0] for name in _imported(ast.parse(source), "")}
    return tuple(sorted(n for n in names if (folder / f"{n}.py").is_file() or (folder / n / "__init__.py").is_file()))


def _own_imports(source: bytes, package: str, top: str) -> list[str]:
    return [name for name in _imported(ast.parse(source), package) if name.startswith(f"{top}.")]


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Every name an import may mean, a module or what is in it; imports for type checkers are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = resolve_name("." * node.level + base, package) if package else base
            yield from (part for part in (base, *(f"{base}.{alias.name}" for alias in node.names)) if part)
        else:
            yield from _imported(node, package)


def _file_of(module: str) -> Path | None:
    """The file of a module; None where there is no such module, or it is none of Python source."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


__all__ = ["Origin", "imports_beside", "origin_of"]
