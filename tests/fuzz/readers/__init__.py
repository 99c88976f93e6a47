"""The readers that are fuzzed, by name; each module loads when its reader is asked for."""

from importlib import import_module

from tests.fuzz.harness import Reader

READERS = {
    "CASME II workbook": "workbooks:CASME2",
    "SAMM workbook": "workbooks:SAMM",
    "SMIC-E workbook": "workbooks:SMIC_E",
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


def reader_named(name: str) -> Reader:
    """The reader of this name."""
    module, _, variable = READERS[name].partition(":")
    reader: Reader = getattr(import_module(f"tests.fuzz.readers.{module}"), variable)
    assert reader.name == name
    return reader
