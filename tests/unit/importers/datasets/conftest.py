"""Reading a dataset to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylesearch.importers.base import ImportOptions, Missing, SplitImporter
from stylesearch.listing import Record
from stylesearch.types import Failure


@dataclass
class Found:
    """Everything that a reader lists."""

    records: list[Record]
    failures: list[Failure]
    missing: list[Missing]

    @property
    def names(self) -> list[str]:
        """Each product with the picture's last folder and name."""
        return [f"{r.product.id} {'/'.join(Path(r.path).parts[-2:])} {r.domain}" for r in self.records]

    def of(self, product_id: str) -> list[Record]:
        return [record for record in self.records if record.product.id == product_id]


Read = Callable[..., Found]


@pytest.fixture
def read() -> Read:
    def call(reader: SplitImporter, root: Path, **options: Any) -> Found:
        chosen = ImportOptions(**options)
        items = list(reader.records(root, chosen))
        found = Found(
            [item for item in items if isinstance(item, Record)],
            [item for item in items if isinstance(item, Failure)],
            [item for item in items if isinstance(item, Missing)],
        )
        assert len(found.records) + len(found.failures) + len(found.missing) == len(items)
        return found

    return call
