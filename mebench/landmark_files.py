"""A user's landmarks: a CSV file with one row per clip, in place of what a finder would find on the onset frame.

    clip,x0,y0,x1,y1,...,x67,y67
    casme2/sub01/EP02_01f,181.5,204.0,...

The points are those of the iBUG 300-W scheme from 0, in px of the full frame whose first pixel's centre is (0, 0).
"""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from mebench.errors import DataError

Points = tuple[tuple[float, float], ...]

COUNT = 68
HEADER = ("clip", *(f"{axis}{index}" for index in range(COUNT) for axis in "xy"))


def read_landmark_file(path: Path) -> Mapping[str, Points]:
    """The landmarks by clip id; DataError with file and line for what is not such a table."""
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise DataError(f"{path} cannot be read: {fault}.", "Give a CSV file in UTF-8.") from fault
    if not rows or tuple(cell.strip() for cell in rows[0]) != HEADER:
        raise DataError(f"{path} does not begin with the columns clip, x0, y0 to x67, y67.", "Give it that first row.")
    found: dict[str, Points] = {}
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        clip = row[0].strip()
        if clip in found:
            raise DataError(f"{path}, line {line}: {clip} has landmarks already.", "Keep one row per clip.")
        found[clip] = _points(path, line, row[1:])
    return found


def _points(path: Path, line: int, cells: list[str]) -> Points:
    try:
        values = [float(cell) for cell in cells]
    except ValueError as fault:
        raise DataError(f"{path}, line {line}: {fault}.", "Give numbers, in px.") from fault
    if len(values) != 2 * COUNT or not all(map(math.isfinite, values)):
        raise DataError(f"{path}, line {line} holds no {COUNT} finite x, y pairs.", "Give every point, in px.")
    return tuple(zip(values[::2], values[1::2], strict=True))


__all__ = ["HEADER", "read_landmark_file"]
