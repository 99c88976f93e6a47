"""The readers that are fuzzed, by name; each module loads when its reader is asked for."""

from importlib import import_module

from tests.fuzz.harness import Reader

READERS = {
    "CASME II workbook": "workbooks:CASME2",
    "objective classes": "workbooks:CLASSES",
    "SAMM workbook": "workbooks:SAMM",
    "SMIC-E workbook": "workbooks:SMIC_E",
    "SMIC folders": "films:SMIC",
    "frames": "films:FRAME",
    "stored clip": "stores:STORE",
    "cached input": "stores:INPUT",
    "weights": "stores:WEIGHTS",
    "protocol TOML": "declared:PROTOCOL",
    "corrections TOML": "declared:CORRECTIONS",
    "published TOML": "declared:PUBLISHED",
    "predictions CSV": "predicted:OWN",
    "strangers' predictions": "predicted:FOREIGN",
    "run on disk": "homes:RUN",
    "registration": "homes:STATE",
    "identity": "homes:IDENTITY",
    "bundle": "bundles:BUNDLE",
    "replication record": "bundles:RECORD",
}


PLANTED = {
    f"planted {name}": f"planted:{variable}"
    for name, variable in {
        "sound": "SOUND",
        "refused": "REFUSED",
        "mute": "MUTE",
        "traceback": "TRACEBACK",
        "spoken": "SPOKEN",
        "miscount": "MISCOUNT",
        "wrote": "WROTE",
        "wrote in C": "IN_C",
        "ran": "RUN",
        "memory": "MEMORY",
        "died": "DIED",
        "hang": "HANG",
        "busy": "BUSY",
    }.items()
}
"""Readers with a known fault each: what the test of the harness reads."""


def reader_named(name: str) -> Reader:
    """The reader of this name."""
    module, _, variable = (READERS | PLANTED)[name].partition(":")
    reader: Reader = getattr(import_module(f"tests.fuzz.readers.{module}"), variable)
    assert reader.name == name
    return reader
