"""The spec of an extractor: its name, input size, texture and colors, and the one parser of its text.

The text is ``NAME[@SIZE][+texture][+colors]``, where the name is one of the table or the path of a ``.keras``
file.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from stylesearch.errors import ConfigError
from stylesearch.files import expand_user

__all__ = ["COLORS", "TEXTURE", "ExtractorSpec", "absolute_spec", "relative_spec"]

COLORS = "+colors"
"""Stands behind a network to whose features a color histogram is appended."""

TEXTURE = "+texture"
"""Stands behind a network to whose features statistics of its middle layers are appended."""

_MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
# A file may have an @ or "+colors" in its own name.
_FILE_AND_REST = re.compile(r"(?P<file>.*\.(?:keras|h5|hdf5))(?:[@+][^/]*)?", re.DOTALL)
_PART = re.compile(rf"@[0-9]+|{re.escape(TEXTURE)}|{re.escape(COLORS)}")
_PARTS_AT_END = re.compile(rf"(?:{_PART.pattern})*\Z")
_MODELS_FOLDER = "models/"


@dataclass(frozen=True, slots=True)
class ExtractorSpec:
    """All that ``load_extractor`` needs to build an extractor, in any process.

    A plain value: it can be pickled and compared. Its text has the first three fields and ``with_texture``.

    Attributes:
        name: a name of the table, or the path of a model's file.
        input_size: side of the square input in pixels; None for the extractor's own.
        with_colors: whether a color histogram is appended to the network's features.
        weights: weights of a network of the table: ``"imagenet"`` (also None), a path or ``"random"``.
        engine, precision: the engine that runs it, and the numbers that it computes in.
        preprocessing, layer: for a model's file: values that its JSON file does not have, or that win over
            it.
        with_texture: whether statistics of the network's middle layers are appended to its features.

    Example:
        >>> spec = ExtractorSpec.parse("efficientnet-lite0@320+colors")
        >>> spec.name, spec.input_size, spec.with_colors
        ('efficientnet-lite0', 320, True)
        >>> str(spec)
        'efficientnet-lite0@320+colors'
    """

    name: str
    input_size: int | None = None
    with_colors: bool = False
    weights: str | None = None
    engine: str = "auto"
    precision: str = "auto"
    preprocessing: str | None = None
    layer: str | None = None
    with_texture: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``NAME[@SIZE][+texture][+colors]``. Whether there is such an extractor is not checked.

        What stands before them is the name if there is a file that is called so.

        Raises:
            ConfigError: what stands behind @ is not a number, the parts stand in another order or more than
                once, or nothing stands before them. The hint is the right form.
        """
        found = _FILE_AND_REST.fullmatch(text)
        file = found["file"] if found else ""
        name = file + _PARTS_AT_END.sub("", text[len(file) :])
        parts = _PART.findall(text[len(name) :])
        for n_of_name in range(len(parts), 0, -1):
            path = name + "".join(parts[:n_of_name])
            if Path(path).is_file():
                name = file = path
                parts = parts[n_of_name:]
                break
        behind = "".join(part for part in (TEXTURE, COLORS) if part in parts)
        if not name:
            raise ConfigError(
                f"{text} stands behind the name of a network. Received: {text!r}", hint=f"resnet50{text}"
            )
        before, at, _ = name[len(file) :].partition("@")
        if at and not Path(name).is_file():
            raise ConfigError(
                f"behind @ stands the input size in pixels. Received: {text!r}",
                hint=f"{file}{before}@320{behind}",
            )
        sizes = [part for part in parts if part.startswith("@")]
        right_form = "".join(sizes[:1]) + behind
        if "".join(parts) != right_form:
            raise ConfigError(
                f"an extractor is written NAME[@SIZE][{TEXTURE}][{COLORS}]. Received: {text!r}",
                hint=f"{name}{right_form}",
            )
        size = int(sizes[0][1:]) if sizes else None
        return cls(name, size, COLORS in parts, with_texture=TEXTURE in parts)

    @classmethod
    def from_name(cls, name: str, input_size: int) -> Self:
        """Makes the spec of a loaded extractor.

        Args:
            name: as ``Extractor.name`` has it, ``+texture`` and ``+colors`` included.
            input_size: side of its input in pixels.

        Example:
            >>> str(ExtractorSpec.from_name("efficientnet-lite0+colors", 320))
            'efficientnet-lite0@320+colors'
        """
        without_colors = name.removesuffix(COLORS)
        plain = without_colors.removesuffix(TEXTURE)
        return cls(plain, input_size, without_colors != name, with_texture=plain != without_colors)

    def __str__(self) -> str:
        size = "" if self.input_size is None else f"@{self.input_size}"
        return f"{self.name}{size}{TEXTURE * self.with_texture}{COLORS * self.with_colors}"

    @property
    def is_model_file(self) -> bool:
        """Whether the name is the path of a user's model, which brings its own weights."""
        return self.name.endswith(_MODEL_SUFFIXES)

    @property
    def is_classical(self) -> bool:
        """Whether the name is that of a white-box feature, which has no network and no weights."""
        from stylesearch.extractors.classical.feature import WHITE_BOXES

        return self.name in WHITE_BOXES

    @property
    def without_colors(self) -> Self:
        """The spec of the network alone."""
        return dataclasses.replace(self, with_colors=False)

    @property
    def with_absolute_paths(self) -> Self:
        """The spec for a process with another working directory: files are named from the root on."""
        name, weights = self.name, self.weights
        if self.is_model_file:
            name = str(expand_user(name).absolute())
        if weights is not None and not re.fullmatch("imagenet|random(:.*)?", weights):
            weights = str(expand_user(weights).absolute())
        return dataclasses.replace(self, name=name, weights=weights)

    def with_options(self, **options: Any) -> Self:
        """A copy in which options that are neither None nor ``"auto"`` replace its own.

        Args:
            options: fields of this class by name.

        Raises:
            ConfigError: it has an input size already, and ``input_size`` is another one.
        """
        changes = {name: value for name, value in options.items() if value not in (None, "auto")}
        size = changes.get("input_size", self.input_size)
        if self.input_size not in (None, size):
            raise ConfigError(f"two input sizes: {str(self)!r} and {size}")
        return dataclasses.replace(self, **changes)

    def with_network_settings(self, settings: Mapping[str, Any]) -> Self:
        """A copy with those of a workspace's settings for networks that apply to this extractor.

        Weights, engine and precision do not apply to white-box features, nor weights to a model's file.

        Args:
            settings: fields of this class by name.
        """
        if self.is_classical:
            return self
        unused = {"weights"} if self.is_model_file else set()
        return self.with_options(**{name: settings[name] for name in settings.keys() - unused})


# A model's file in a workspace is written down by its path from the workspace folder on, so that the folder
# can be moved.


def relative_spec(text: str, home: Path) -> str:
    """Makes a spec relative: the path of a ``.keras`` file that lies in ``home`` is stored from there on.

    Args:
        text: as ``stylesearch.extractors.load_extractor`` takes it, paths being absolute.
        home: the workspace folder.

    Example:
        >>> relative_spec("efficientnet-lite0@320", Path("shop"))
        'efficientnet-lite0@320'
    """
    spec = _parse_path(text)
    if spec is None or not Path(spec.name).is_relative_to(home.resolve()):
        return text
    return str(dataclasses.replace(spec, name=Path(spec.name).relative_to(home.resolve()).as_posix()))


def absolute_spec(text: str, home: Path) -> str:
    """The inverse of ``relative_spec``.

    A path that is absolute, or of a file in the current folder only, stays as it is. A path below ``models``
    is one in ``home`` even when the file is gone.
    """
    spec = _parse_path(text)
    if spec is None or Path(spec.name).is_absolute():
        return text
    path = home / spec.name
    if not spec.name.startswith(_MODELS_FOLDER) and Path(spec.name).is_file() and not path.is_file():
        return text
    return str(dataclasses.replace(spec, name=str(path.resolve())))


def _parse_path(text: str) -> ExtractorSpec | None:
    """Parses the spec of a ``.keras`` file; None for any other text, and for one that loading refuses."""
    try:
        spec = ExtractorSpec.parse(text)
    except ConfigError:
        return None
    return spec if Path(spec.name).suffix == ".keras" else None
