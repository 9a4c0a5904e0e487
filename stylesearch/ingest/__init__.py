"""A source into the catalog: read, decode, extract, store; resumable at any point."""

from stylesearch.ingest.options import IngestOptions
from stylesearch.ingest.report import IngestReport, joined
from stylesearch.ingest.run import ingest

__all__ = ["IngestOptions", "IngestReport", "ingest", "joined"]
