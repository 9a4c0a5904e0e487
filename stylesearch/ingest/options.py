"""What an ingest may be told."""

from __future__ import annotations

from dataclasses import dataclass

from stylesearch.types import Domain

__all__ = ["IngestOptions"]


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How a source is read and how hard the machine works.

    Attributes:
        format: the importer's name, or ``auto``.
        domain: who took the pictures, where the source does not say.
        prune: whether products that the source no longer lists are removed.
        allow_outside: whether a table may name pictures outside its own folder.
        splits: of a dataset: those whose pictures are taken; empty for all.
        gallery: of a dataset: the splits whose shop pictures are taken; empty for the same as ``splits``.
        categories: of a dataset: ``own`` or ``seed``.
        batch_size: pictures a forward pass.
        n_workers: threads that read and decode.
        max_pixels: larger pictures are refused before they are decoded.
        lock_timeout: seconds to wait for another process that writes.
    """

    format: str = "auto"
    domain: Domain = Domain.SHOP
    prune: bool = False
    allow_outside: bool = False
    splits: tuple[str, ...] = ()
    gallery: tuple[str, ...] = ()
    categories: str = "own"
    batch_size: int = 32
    n_workers: int = 1
    max_pixels: int = 200_000_000
    lock_timeout: float = 30.0
