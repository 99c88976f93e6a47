"""Numerical libraries keep to one thread in the test process, as they do in the workers of the package.

They read these settings when they load, so they stand here, before any test module is imported. Tests that kill a child
fork it from this process, and a fork of a process whose libraries keep pools of threads may hang.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ[name] = "1"

os.environ["COLUMNS"] = "140"  # tables are folded to the terminal, and what they say must not hang on where tests run
