"""The renderers by name, imported only when asked for."""

from importlib import import_module

from mebench.errors import UnknownName
from mebench.synth.script import Renderer

PORTRAIT = "portrait"
"""The renderer that draws people around one portrait; the smoke tier and the demo are its."""

SOLID = "solid"
"""The renderer that models heads in space and moves them by muscles; it shares no drawing code with the other."""

_PLACES = {PORTRAIT: "mebench.synth.filmed:RENDERER", SOLID: "mebench.synth.solid.renderer:RENDERER"}

RENDERERS: tuple[str, ...] = tuple(_PLACES)


def renderer(name: str) -> Renderer:
    """The renderer of this name; raises UnknownName."""
    if name not in _PLACES:
        raise UnknownName("renderer", name, RENDERERS)
    module, _, attribute = _PLACES[name].partition(":")
    found: Renderer = getattr(import_module(module), attribute)
    return found


__all__ = ["PORTRAIT", "RENDERERS", "SOLID", "renderer"]
