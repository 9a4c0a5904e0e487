"""Reads a source into the catalog: read, decode, extract, store; resumable at any point."""

from stylesearch.ingest.pipeline import ingest, preview
from stylesearch.ingest.report import IngestOptions, IngestReport

__all__ = ["IngestOptions", "IngestReport", "ingest", "preview"]
