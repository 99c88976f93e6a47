"""Steps as a recipe writes them."""

from typing import Any


def call(name: str, **parameters: Any) -> str:
    """A step with its parameters: `tim(frames=20)`."""
    return f"{name}({', '.join(f'{key}={_spelled(value)}' for key, value in parameters.items())})"


def _spelled(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_spelled, value))})"
    return str(value).lower() if isinstance(value, bool) else str(value)
