"""Importing OpenVINO quickly, and without its telemetry.

``import openvino`` also imports its conversion tools, which takes twice as long as all the rest and sends an
event to Intel over the network. A query needs neither. The package itself allows for the tools being absent,
so they are made to look absent while it is imported, and are imported without telemetry to convert a model.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

from stylesearch.errors import MissingDependency

__all__ = ["import_openvino", "import_openvino_converter", "openvino_core"]

_TELEMETRY = "openvino_telemetry"
_TOOLS = "openvino.tools.ovc"
_lock = threading.Lock()
_core: Any = None


def import_openvino() -> Any:
    """The module ``openvino``; its ``convert_model`` is there too, and imports the tools when it is called.

    Raises:
        MissingDependency: OpenVINO is not installed.
    """
    with _lock:
        if "openvino" in sys.modules:
            return sys.modules["openvino"]
        with _absent(_TELEMETRY, _TOOLS):
            try:
                openvino: Any = importlib.import_module("openvino")
            except ModuleNotFoundError as error:
                raise MissingDependency(
                    f"the OpenVINO engine needs the library {error.name!r}, which is not installed",
                    hint="pip install openvino, or choose the engine 'tensorflow'",
                ) from error
        if not hasattr(openvino, "convert_model"):
            openvino.convert_model = _convert_model  # for other code in this process that expects it there
        return openvino


def openvino_core() -> Any:
    """The ``openvino.Core`` of this process, which all models share and which lives as long as the process.

    The first use of its CPU gives the calling thread another stack for signal handlers. The end of the last
    core and model takes it away, but only from the thread in which it happens: in any other, the first thread
    keeps a stack that is not there any more, and its next signal, be it Ctrl-C, is a segmentation fault.

    Raises:
        MissingDependency: OpenVINO is not installed.
    """
    global _core
    openvino = import_openvino()
    with _lock:
        if _core is None:
            _core = openvino.Core()
        return _core


def import_openvino_converter() -> Any:
    """The function ``openvino.convert_model``; without telemetry, unless other code imported that before."""
    import_openvino()
    with _lock, _absent(_TELEMETRY):
        return importlib.import_module(_TOOLS).convert_model


def _convert_model(*args: Any, **options: Any) -> Any:
    return import_openvino_converter()(*args, **options)


@contextlib.contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Makes modules that were not yet imported look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # documented: makes an import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
