"""Compiled models beside the converted ones, so that a cold query need not compile.

OpenVINO has a cache of its own (``CACHE_DIR``), just as fast, but it takes an altered file for good and then
gives wrong vectors; hence ours, with a record of size and sha256.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylesearch.errors import ExtractorError
from stylesearch.extractors.engines.file_record import is_unchanged, record_of
from stylesearch.storage import atomic_file, digest_of, write_json

__all__ = ["compile_cached"]

logger = logging.getLogger("stylesearch.extractors")


def compile_cached(openvino: Any, core: Any, xml: Path, options: Mapping[str, str]) -> Any:
    """The model of ``xml`` compiled for this CPU, from the cache where it is there and fits.

    Args:
        openvino, core: the module and an ``openvino.Core``.
        xml: the converted model.
        options: properties to compile with.

    Raises:
        ExtractorError: OpenVINO cannot compile it.
    """
    made_for = {
        "openvino": openvino.__version__,
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        **options,
    }
    blob = xml.with_name(f"compiled-{digest_of(made_for)[:16]}.blob")
    compiled = _import(openvino, core, blob, options)
    if compiled is None:
        try:
            compiled = core.compile_model(xml, "CPU", dict(options))
        except RuntimeError as error:
            raise ExtractorError(
                f"OpenVINO cannot compile {xml}: {error}",
                hint=f"delete {xml.parent}, or choose the engine 'tensorflow'",
            ) from error
        _export(compiled, blob)
    return compiled


def _import(openvino: Any, core: Any, blob: Path, options: Mapping[str, str]) -> Any | None:
    try:
        record = json.loads(blob.with_suffix(".json").read_bytes())
        if not is_unchanged(blob, record):
            logger.warning("the compiled model %s is damaged; compiling again", blob)
            return None
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        logger.warning("the record of %s cannot be read (%s); compiling again", blob, error)
        return None
    # A tensor of OpenVINO's own, which the compiled model keeps alive: it computes with weights inside it.
    content = openvino.Tensor(openvino.Type.u8, openvino.Shape([record["size"]]))
    with blob.open("rb") as file:
        n_read = file.readinto(content.data)
    if n_read != record["size"]:
        return None  # replaced by another process just now
    try:
        return core.import_model(content, "CPU", dict(options))
    except RuntimeError as error:
        logger.warning("OpenVINO refuses %s (%s); compiling again", blob, error)
        return None


def _export(compiled: Any, blob: Path) -> None:
    """Keeps a compiled model; where the folder cannot be written, the next start is slower, no more."""
    try:
        with atomic_file(blob) as file:
            file.write(compiled.export_model().getbuffer())
        write_json(blob.with_suffix(".json"), record_of(blob))
    except OSError as error:
        logger.warning("the compiled model cannot be kept in %s: %s", blob.parent, error)
