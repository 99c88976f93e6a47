"""Values nobody expects in a cell, and bytes as disks and mails leave them."""

import random
from datetime import date, datetime, time
from typing import Any

TEXTS = (
    "", " ", "\t", "\n", "\u00a0", "\u200b", "nan", "NaN", "None", "null", "/", "-", "?", "#REF!", "#DIV/0!", "n/a",
    "=1+1", "=cmd|'/C calc'!A0", "+1", "-1", "@SUM(1)", "0", "00", "01", "1e5", "1.0", "1,0", "0x10", "1_000", "٣", "²",
    "Ⅳ", "½", "true", "TRUE", "on", "EP01_01", "sub01", "12 or 14", "L4+7?", "((((", "))))", "ref(", "ref(ref(7))",
    "../../outside/secret", "..", "/etc/passwd", "C:\\secret", "a/b", "a\\b", "~", "$HOME", "%00", "\x00",
    "\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "\u202etxet", "\ufeff", "<script>alert(1)</script>", "&lt;", "]]>",
    "\\input{/etc/passwd}", "\\write18{id}", "${jndi:ldap://x}", "%s%n", "{0}", "{{7*7}}", "'", '"', "`", ";",
    ",", "\r\n", "e\u0301", "İ", "ß",
    "ﬁ", "𝟙", "🙂", "ā" * 40, "A" * 300, "9" * 40, "9" * 5000, "+".join(["1?"] * 30), "(" * 150,
    "happiness", "Happiness ", "HAPPINESS", "disgust", "others", "Other", "none", "negative", "II", "VII", "8",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 7, 255, 10**9, 10**12, 2**31, 2**63, 10**30, -(10**12), 0.0, -0.0, 0.5, 1.5, 3.0, 1e-320, 1e16, 1e308,
    -1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
OTHERS = (None, True, False, date(2014, 5, 8), datetime(1900, 1, 1), datetime(2099, 12, 31, 23, 59, 59), time(12, 30))


def scalar(rng: random.Random) -> Any:
    """A text, a number or something else that a cell can hold."""
    return rng.choice(rng.choice((TEXTS, TEXTS, NUMBERS, OTHERS)))


def text(rng: random.Random) -> str:
    """A text, from the list or of random characters."""
    if rng.random() < 0.8:
        return rng.choice(TEXTS)
    ranges = ((32, 127), (0, 32), (0x80, 0x250), (0x370, 0x600), (0x2000, 0x2070), (0x4E00, 0x4E40), (0x1F600, 0x1F640))
    return "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(rng.randrange(1, 24)))


def damaged(rng: random.Random, content: bytes) -> bytes:
    """The bytes with bits flipped, a part lost, doubled or replaced, or the end cut off."""
    data = bytearray(content)
    how = rng.randrange(7)
    if not data or how == 0:
        return bytes(rng.randbytes(rng.randrange(64)))
    if how == 1:
        return bytes(data[: rng.randrange(len(data))])
    if how == 2:
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(data)
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 4, 16, 200, 2000)))
    if how == 3:
        del data[start:end]
    elif how == 4:
        data[start:start] = data[start:end]
    elif how == 5:
        data[start:end] = rng.choice((b"\x00", b"\xff", b" ")) * (end - start)
    else:
        data[start:end] = rng.randbytes(end - start)
    return bytes(data)


__all__ = ["NUMBERS", "OTHERS", "TEXTS", "damaged", "scalar", "text"]
