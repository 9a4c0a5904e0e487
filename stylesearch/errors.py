"""The errors of this library.

```text
StyleSearchError                      message, and a hint: what to do about it
├── ConfigError          (ValueError)     a setting that cannot be used
├── MissingDependency    (ImportError)    a library that is not installed
├── UnknownName          (LookupError)    no extractor, space, importer, ... of that name
├── ImageError           (ValueError)     a picture that cannot be used
│   ├── NotAnImage                            empty, not a picture, or damaged
│   ├── ImageTooSmall                         fewer pixels a side than any garment needs
│   ├── ImageTooLarge                         more pixels than the limit, seen before decoding
│   └── NoSuchSpot                            the part that is to be searched for is not in it
├── DatasetError         (ValueError)     a source that cannot be read: file and line
├── CatalogError                          the database
│   ├── CatalogDamaged                        holds what cannot be: says in which table, of which product
│   ├── CatalogTooNew                         written by a newer stylesearch
│   ├── CatalogLocked    (TimeoutError)       another process is writing
│   └── NotInCatalog     (LookupError)        no such product, or no features of that kind
├── ExtractorError                        a model that cannot be built or run
│   ├── WeightsNotFound  (FileNotFoundError)  which file is wanted, and where to put it
│   └── WeightsMismatch  (ValueError)         a file that does not fit the graph
├── IndexingError                         an index that cannot be built or read
│   ├── IndexDamaged                          cut short, altered, or of another space
│   └── IndexesLocked    (TimeoutError)       another process is building
├── SpaceError           (ValueError)     a transform that cannot be fitted or applied
├── ClusterError                          a cluster that cannot be reached, or has no worker that can be used
│   ├── WorkerRefused                         a worker that would compute other vectors than this machine
│   └── BatchLost                             pictures whose workers died, again and again
└── TrainingError                         a training that cannot begin, or that failed
    └── TooFewPairs      (ValueError)         too few products to learn from
```

A message says what happened, what was received and what to do; each class also derives from the
built-in that a caller would expect to catch.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BatchLost",
    "CatalogDamaged",
    "CatalogError",
    "CatalogLocked",
    "CatalogTooNew",
    "ClusterError",
    "ConfigError",
    "DatasetError",
    "ExtractorError",
    "ImageError",
    "ImageTooLarge",
    "ImageTooSmall",
    "IndexDamaged",
    "IndexesLocked",
    "IndexingError",
    "MissingDependency",
    "NoSuchSpot",
    "NotAnImage",
    "NotInCatalog",
    "SpaceError",
    "StyleSearchError",
    "TooFewPairs",
    "TrainingError",
    "UnknownName",
    "WeightsMismatch",
    "WeightsNotFound",
    "WorkerRefused",
]


DAMAGE_HINT: Final = "run `stylesearch db check`, and restore a backup where it cannot repair the catalog"
"""What to do about a damaged catalog."""


class StyleSearchError(Exception):
    """Base class of all errors of this library.

    Attributes:
        message: what happened and what was received, one sentence or two.
        hint: what to do about it; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class ConfigError(StyleSearchError, ValueError):
    """A setting that cannot be used."""


class MissingDependency(StyleSearchError, ImportError):
    """A library that is not installed; the hint is the command that installs it."""


class UnknownName(StyleSearchError, LookupError):
    """No extractor, space, importer, ... of that name; the message has the nearest known one."""


class ImageError(StyleSearchError, ValueError):
    """A picture that cannot be used."""


class NotAnImage(ImageError):
    """Bytes that are empty, not a picture, or too damaged to decode."""


class ImageTooSmall(ImageError):
    """A picture with fewer pixels a side than any garment needs."""


class ImageTooLarge(ImageError):
    """A picture over the pixel limit, refused before decoding."""


class NoSuchSpot(ImageError):
    """The part of a photo that is to be searched for is not in it: no person, or no spot of that number."""


class DatasetError(StyleSearchError, ValueError):
    """A source that cannot be read; the message names file and line."""


class CatalogError(StyleSearchError):
    """The database cannot be opened, read or written."""


class CatalogDamaged(CatalogError):
    """The database holds what stylesearch never wrote; nothing is to be trusted that depends on it.

    Args:
        what: what was found, and where: the table and, if known, the row or the product. The message begins
            with "the catalog is damaged: ".
        hint: what to do about it.
    """

    def __init__(self, what: str, *, hint: str = DAMAGE_HINT) -> None:
        super().__init__(f"the catalog is damaged: {what}", hint=hint)
        self.what = what

    def __reduce__(self) -> tuple[type[CatalogDamaged], tuple[str], dict[str, str]]:
        """Copies it to another process by what was found, not by the whole message."""
        return type(self), (self.what,), {"hint": self.hint}


class CatalogTooNew(CatalogError):
    """The database was written by a newer stylesearch; the message names the version that is needed."""


class CatalogLocked(CatalogError, TimeoutError):
    """Another process is writing to the catalog."""


class NotInCatalog(CatalogError, LookupError):
    """No such product, or no features of that kind."""


class ExtractorError(StyleSearchError):
    """A model that cannot be built or run."""


class WeightsNotFound(ExtractorError, FileNotFoundError):
    """No weights on this machine: the message names the file, the hint says where to put it."""


class WeightsMismatch(ExtractorError, ValueError):
    """A weights file that does not fit the graph."""


class IndexingError(StyleSearchError):
    """An index that cannot be built or read."""


class IndexDamaged(IndexingError):
    """An index that is cut short, altered, or of another space."""


class IndexesLocked(IndexingError, TimeoutError):
    """Another process is building the indexes."""


class SpaceError(StyleSearchError, ValueError):
    """A transform that cannot be fitted or applied."""


class ClusterError(StyleSearchError):
    """A cluster that cannot be reached, or that has no worker that can be used."""


class WorkerRefused(ClusterError):
    """A worker of a cluster that would compute other vectors than this machine; the message names it."""


class BatchLost(ClusterError):
    """Work that was lost with its worker too often."""


class TrainingError(StyleSearchError):
    """A training that cannot begin, or that failed."""


class TooFewPairs(TrainingError, ValueError):
    """Too few products have pairs of pictures to learn from; the message says how many there are."""
