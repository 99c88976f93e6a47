"""The action-unit reference on workbooks that carry the published AU statistics of CASME II and SAMM.

    python -m benchmarks.au_reference

No licensed row is needed: the workbooks of the tests hold every unit and every set of units as often per class, on as
many subjects, as the real ones, and no clip of theirs. What codes alone reach depends on little else. Beside it stands
what was reached on the true sets by simple classifiers.
"""

import sys
import tempfile
from pathlib import Path

from mebench.audit.units import unit_reference
from mebench.corpora import load_clips
from mebench.protocol import load_protocol, resolve
from mebench.render import Table, figure, markdown
from tests.corpora import write_casme2, write_samm

KNOWN = {"casme2-5c-loso": ".78 to .86", "samm-5c-loso": ".93 to .96"}
"""UF1 of simple classifiers on the true sets of units, leave-one-subject-out."""


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_casme2(root / "casme2")
        write_samm(root / "samm")
        tables = {name: load_clips(name, root / name) for name in ("casme2", "samm")}
        rows = []
        for protocol in (*KNOWN, "casme2-4c-147-loso", "casme2-3c-147-loso", "samm-3c-133-loso", "composite-3c-loso"):
            found = unit_reference(resolve(load_protocol(protocol), tables))
            for part in found.slices:
                each = [figure(card.strict[part].uf1) for card in found.cards.values()]
                clips = str(next(iter(found.cards.values())).strict[part].clips)
                known = KNOWN.get(protocol, "") if part == "all" else ""
                rows.append((protocol, part, clips, *each, figure(found.uf1(part)), known))
    columns = ("Protocol", "Slice", "Clips", *found.cards, "Reference", "True sets")
    numeric = frozenset({"Clips", *found.cards, "Reference"})
    sys.stdout.write(markdown(Table("UF1 from action-unit codes alone", columns, tuple(rows), numeric)))


if __name__ == "__main__":
    main()
