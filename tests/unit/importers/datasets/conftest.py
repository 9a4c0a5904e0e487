"""Reading a dataset to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylesearch.importers.base import ImportOptions, Missing, SplitImporter
from stylesearch.listing import ATTRIBUTE, Record
from stylesearch.types import Box, Domain, Failure, Product


@dataclass
class Listed:
    """A record, with all that it says of its product."""

    product: Product
    path: str
    domain: Domain
    box: Box | None

    @classmethod
    def of(cls, record: Record) -> Listed:
        said = dict(record.product.said)
        attributes = {
            name.removeprefix(ATTRIBUTE): said.pop(name) for name in list(said) if name.startswith(ATTRIBUTE)
        }
        product = Product(record.product.id, said.pop("title"), said.pop("category"), attributes=attributes)
        assert not said
        return cls(product, record.path, record.domain, record.box)


@dataclass
class Found:
    """Everything that a reader lists."""

    records: list[Listed]
    failures: list[Failure]
    missing: list[Missing]

    @property
    def names(self) -> list[str]:
        """Each product with the picture's last folder and name."""
        return [f"{r.product.id} {'/'.join(Path(r.path).parts[-2:])} {r.domain}" for r in self.records]

    def of(self, product_id: str) -> list[Listed]:
        return [record for record in self.records if record.product.id == product_id]


Read = Callable[..., Found]


@pytest.fixture
def read() -> Read:
    def call(reader: SplitImporter, root: Path, **options: Any) -> Found:
        chosen = ImportOptions(**options)
        items = list(reader.records(root, chosen))
        found = Found(
            [Listed.of(item) for item in items if isinstance(item, Record)],
            [item for item in items if isinstance(item, Failure)],
            [item for item in items if isinstance(item, Missing)],
        )
        assert len(found.records) + len(found.failures) + len(found.missing) == len(items)
        return found

    return call
