"""The renderers by name, imported only when asked for."""

from importlib import import_module

from mebench.errors import UnknownName
from mebench.synth.script import Renderer

PORTRAIT = "portrait"
"""The renderer that draws people around one portrait; the smoke tier and the demo are its."""

_PLACES = {PORTRAIT: "mebench.synth.filmed:RENDERER"}

RENDERERS: tuple[str, ...] = tuple(_PLACES)


def renderer(name: str) -> Renderer:
    """The renderer of this name; raises UnknownName."""
    if name not in _PLACES:
        raise UnknownName("renderer", name, RENDERERS)
    module, _, attribute = _PLACES[name].partition(":")
    found: Renderer = getattr(import_module(module), attribute)
    return found


__all__ = ["PORTRAIT", "RENDERERS", "renderer"]
