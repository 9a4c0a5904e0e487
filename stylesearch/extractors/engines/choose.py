"""Chooses an engine without importing TensorFlow, whose import takes longer than a whole query."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from stylesearch.errors import ConfigError

__all__ = ["ENGINES", "EngineChoice", "choose_engine", "gpu_is_likely"]

ENGINES = ("auto", "openvino", "tensorflow")


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and where it would run.

    Attributes:
        engine: ``"openvino"`` or ``"tensorflow"``.
        device: ``"CPU"`` or ``"GPU"``.
        certain: False for a choice that rests on the guess that TensorFlow will see a GPU.
    """

    engine: str
    device: str
    certain: bool = True


def choose_engine(engine: str = "auto", precision: str = "auto", throughput: bool = True) -> EngineChoice:
    """Resolves ``"auto"``: a GPU for many images, OpenVINO for a query and wherever there is no GPU.

    A query needs 16 images, which OpenVINO has done on the CPU before TensorFlow is imported.

    Args:
        engine: one of ``ENGINES``.
        precision: ``"mixed_float16"`` asks for TensorFlow, ``"bf16"`` for OpenVINO.
        throughput: whether many images will be run.

    Raises:
        ConfigError: there is no such engine, or it does not compute in that precision.

    Example:
        >>> choose_engine("openvino")
        EngineChoice(engine='openvino', device='CPU', certain=True)
    """
    if engine not in ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", hint=f"engines: {', '.join(ENGINES)}")
    wanted_by_precision = {"mixed_float16": "tensorflow", "bf16": "openvino"}.get(precision)
    if wanted_by_precision is not None and engine == "auto":
        engine = wanted_by_precision
    if wanted_by_precision not in (None, engine):
        raise ConfigError(
            f"the engine {engine} does not compute in {precision}",
            hint=f"choose the engine {wanted_by_precision}, or the precision auto",
        )
    if engine == "openvino":
        return EngineChoice("openvino", "CPU")
    if engine == "tensorflow":
        return EngineChoice("tensorflow", "GPU" if gpu_is_likely() else "CPU")
    if throughput and gpu_is_likely():
        return EngineChoice("tensorflow", "GPU", certain=False)
    if importlib.util.find_spec("openvino") is None:
        return EngineChoice("tensorflow", "CPU")
    return EngineChoice("openvino", "CPU")


def gpu_is_likely() -> bool:
    """Whether TensorFlow would probably see a GPU: a driver, a card, CUDA's libraries, and none hidden.

    ``$STYLESEARCH_DEVICE`` (``cpu`` or ``gpu``) overrules the check.

    Raises:
        ConfigError: ``$STYLESEARCH_DEVICE`` is neither.
    """
    chosen = os.environ.get("STYLESEARCH_DEVICE", "").lower()
    if chosen:
        if chosen not in ("cpu", "gpu"):
            raise ConfigError(f"STYLESEARCH_DEVICE is cpu or gpu, not {chosen!r}")
        return chosen == "gpu"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return False
    return _has_card(Path("/")) and _has_cuda_libraries()


def _has_card(root: Path) -> bool:
    """Whether an NVIDIA card and its driver show up: on Linux, or on Linux inside Windows."""
    cards = root / "proc/driver/nvidia/gpus"
    if cards.is_dir() and any(cards.iterdir()):
        return True
    return (root / "dev/nvidia0").exists() or (root / "usr/lib/wsl/lib/libcuda.so.1").exists()


def _has_cuda_libraries() -> bool:
    """Whether cuDNN is installed, from the wheels of ``tensorflow[and-cuda]`` or by the system."""
    try:
        if importlib.util.find_spec("nvidia.cudnn") is not None:
            return True
    except ModuleNotFoundError:
        pass  # not even the package nvidia
    import ctypes.util

    return ctypes.util.find_library("cudnn") is not None
