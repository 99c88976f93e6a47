"""Machine-compiled kernels."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function compiled by numba without Python's lock; kept on disk wherever a cache folder can be written.

    numba tries `NUMBA_CACHE_DIR`, the folder of the source and the user's cache folder. Where all three are read-only
    (a container, a shared installation without a home) it refuses at import; results do not depend on the cache, so the
    kernel is then compiled once per process instead.
    """
    try:
        kernel = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        kernel = numba.njit(nogil=True)(function)
    return cast(Callable[P, R], kernel)
