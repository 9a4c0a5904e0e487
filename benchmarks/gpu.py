"""What runs in TensorFlow, on its first GPU (on the CPU where it sees none): is it equal, and how fast is it.

Networks: vectors against those of the CPU in float32, and pictures a second by the size of a batch; white-box
features against NumPy's; an ingest from JPEG files; steps and epochs of a training. With
``CUDA_VISIBLE_DEVICES=-1`` the same runs on the processor of a machine that has a GPU.

Environment: ``BENCH_OUT`` (the JSON file, gpu.json), ``BENCH_SECONDS`` (420: no section begins later),
``BENCH_NETWORKS`` (the first of them also ingests), ``BENCH_BATCHES`` (sizes of batches), ``BENCH_PICTURES``
(how many are ingested, 300), ``BENCH_PRODUCTS`` (of the trainings, 2000,20000).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import describe_machine, library_version, print_table, seconds_of
from benchmarks.sections import LEFT_OUT, Budget, Section, run_sections
from benchmarks.shops import drawn_images
from stylesearch.array_types import Features, Floats, Images

if TYPE_CHECKING:
    from stylesearch.training.data import TrainingData
    from stylesearch.training.options import TrainOptions

NETWORKS = os.environ.get("BENCH_NETWORKS", "efficientnet-lite0@320,resnet50@224").split(",")
BATCHES = [int(size) for size in os.environ.get("BENCH_BATCHES", "1,16,32,64,128,256").split(",")]
N_INGESTED = int(os.environ.get("BENCH_PICTURES", "300"))
N_PRODUCTS = [int(number) for number in os.environ.get("BENCH_PRODUCTS", "2000,20000").split(",")]

N_COMPARED = 64
WHITE_BOX_SIZES = (64, 128)
WHITE_BOX_TOLERANCE = 1e-5
# As the features of the default extractor come out of the default space, and as a photo is looked at.
WIDTH, N_REGIONS = 620, 4
N_STEPS = 30
EPOCHS = 3

LIBRARIES = (
    "tensorflow",
    "keras",
    "openvino",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "nvidia-cublas-cu12",
    "nvidia-cuda-runtime-cu12",
    "nvidia-cudnn-cu12",
)
PRECISIONS = {"float32": "f32", "mixed_float16": "mixed_float16"}


@dataclass(frozen=True)
class Device:
    """Where TensorFlow computes.

    Attributes:
        tensorflow: the imported module.
        gpus: the GPUs that it sees; it computes on the first.
    """

    tensorflow: Any
    gpus: list[Any]

    @property
    def name(self) -> str:
        """``"GPU"`` or ``"CPU"``."""
        return "GPU" if self.gpus else "CPU"


def main() -> int:
    """Prints tables and writes the JSON file; returns how many sections failed."""
    path = Path(os.environ.get("BENCH_OUT", "gpu.json"))
    budget = Budget(float(os.environ.get("BENCH_SECONDS", "420")))
    device = _device()
    if not device.gpus:
        print("**TensorFlow sees no GPU: everything here is measured on the CPU.**\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        pictures = Path(name) / "catalog"
        sections = {"machine": partial(_machine, device), "pictures": partial(_draw, pictures)}
        for spec in NETWORKS:
            sections[f"vectors of {spec}"] = partial(_vectors, device, spec, pictures)
            sections[f"speed of {spec}"] = partial(_speed, device, spec, pictures)
        sections["whitebox"] = partial(_white_box, device, pictures)
        for precision in PRECISIONS:
            spec = f"{NETWORKS[0]}+colors"
            title = f"ingest with {spec}, {precision}"
            sections[title] = partial(_ingest, spec, precision, pictures, Path(name))
        for n_products in N_PRODUCTS:
            title = f"training on {n_products} products"
            sections[title] = partial(_training, n_products, Path(name) / title)
        n_failed = run_sections(
            [Section(title, _with_memory(device, run)) for title, run in sections.items()], path, budget
        )
    print(f"{path} has the figures" + (f"; {n_failed} sections failed" if n_failed else ""))
    return n_failed


def _device() -> Device:
    """Imports TensorFlow, which then takes memory of a GPU only as it needs it."""
    from stylesearch.extractors.engines.tensorflow import import_tensorflow, visible_gpus

    tensorflow = import_tensorflow()
    visible_gpus(tensorflow)
    return Device(tensorflow, tensorflow.config.list_physical_devices("GPU"))


def _with_memory(
    device: Device, run: Callable[[Budget], Mapping[str, Any]]
) -> Callable[[Budget], Mapping[str, Any]]:
    """Adds to what a section returns the most memory of the GPU that it held at once."""

    def measure(budget: Budget) -> Mapping[str, Any]:
        memory = device.tensorflow.config.experimental
        if device.gpus:
            memory.reset_memory_stats("GPU:0")
        result = run(budget)
        peak = memory.get_memory_info("GPU:0")["peak"] / 2**20 if device.gpus else None
        if peak is not None:
            print(f"\nPeak memory of the GPU: {peak:.0f} MB")
        return {**result, "peak_gpu_memory_mb": peak}

    return measure


def _machine(device: Device, budget: Budget) -> Mapping[str, Any]:
    """What the figures were measured on, and how long the first operation took, kernels and all."""
    config, build = device.tensorflow.config, device.tensorflow.sysconfig.get_build_info()
    facts: dict[str, Any] = {"measured on": device.name, "machine": describe_machine()}
    facts |= {f"GPU {n}": config.experimental.get_device_details(gpu) for n, gpu in enumerate(device.gpus)}
    facts |= {
        "driver": _driver(),
        "built for": {key: build[key] for key in sorted(build) if "cuda" in key or "cudnn" in key},
        "TensorFloat-32": config.experimental.tensor_float_32_execution_enabled(),
    }
    libraries = {name: library_version(name) for name in LIBRARIES}
    ones = np.ones((256, 256), np.float32)
    seconds = seconds_of(lambda: device.tensorflow.matmul(ones, ones).numpy())
    facts |= {"libraries": libraries, "seconds of the first operation": seconds}
    print_table(["what", "value"], [[key, value] for key, value in facts.items()])
    return facts


def _driver() -> str | None:
    """Name, driver and memory of each GPU as the driver's own tool tells them; None where it is not there."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=30)
    return (done.stdout or done.stderr).strip()


def _draw(folder: Path, budget: Budget) -> Mapping[str, Any]:
    """Draws the pictures of all sections."""
    drawn_images(folder, N_INGESTED)
    print(f"{N_INGESTED} drawn pictures of 600 to 1,000 pixels")
    return {"pictures": N_INGESTED}


def _inputs(folder: Path, size: int, n: int) -> Images:
    """Letterboxed drawn pictures, again and again if there are too few: uint8 (n, size, size, 3)."""
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import letterbox, reduction

    paths = sorted(folder.rglob("*.jpg"))[:n]
    images = [letterbox(decode(path, reduce_to=reduction(size)).pixels, size) for path in paths]
    return np.stack(list(islice(cycle(images), n)))


def _weights(spec: str) -> str | None:
    """None, which stands for the published weights, where these are at hand; else ``random``."""
    from stylesearch.extractors.backbones import BACKBONES
    from stylesearch.extractors.spec import ExtractorSpec
    from stylesearch.extractors.weights import imagenet_path

    path = imagenet_path(BACKBONES[ExtractorSpec.parse(spec).name])
    return None if path is not None and path.is_file() else "random"


def _vectors(device: Device, spec: str, folder: Path, budget: Budget) -> Mapping[str, Any]:
    """Vectors of drawn pictures and of noise, in each precision, against those of the CPU in float32."""
    from stylesearch.extractors import load_extractor
    from stylesearch.extractors.engines.bf16 import MIN_SAMPLE_COSINE
    from stylesearch.extractors.engines.tensorflow import TensorFlowEngine

    tensorflow, weights = device.tensorflow, _weights(spec)
    network: Any = load_extractor(spec, weights=weights, engine="tensorflow")
    size, half = network.input_size, N_COMPARED // 2
    noise = np.random.default_rng(0).integers(0, 256, (half, size, size, 3)).astype(np.uint8)
    images = np.concatenate([_inputs(folder, size, N_COMPARED - half), noise])
    on_cpu = "openvino" if importlib.util.find_spec("openvino") else "tensorflow"
    with tensorflow.device("/CPU:0"):
        wanted = load_extractor(spec, weights=weights, engine=on_cpu, precision="f32").extract(images)
    result: dict[str, Any] = {"weights": weights or "published", "reference": f"{on_cpu}, float32, CPU"}
    rows = []

    def compare(name: str, extract: Callable[[Images], Features]) -> None:
        began = time.perf_counter()
        extract(images[:1])
        seconds = time.perf_counter() - began
        facts = _differences(extract(images), wanted)
        facts |= {"equal": facts["least cosine"] >= MIN_SAMPLE_COSINE, "seconds_to_first_vector": seconds}
        result[name] = facts
        rows.append(
            [
                name,
                f"{facts['largest difference']:.1e}",
                f"{facts['largest value']:.1f}",
                *(f"{facts[key]:.7f}" for key in ("least cosine", "of drawn pictures", "of noise")),
                "yes" if facts["equal"] else f"**no**, {facts['not finite']} not finite",
                f"{seconds:.1f}",
            ]
        )

    if device.gpus and tensorflow.config.experimental.tensor_float_32_execution_enabled():
        tensorflow.config.experimental.enable_tensor_float_32_execution(False)
        try:
            # In batches of a size of their own: what was tuned for a shape is used again for it.
            exact = TensorFlowEngine(network.recipe, "f32", batch_size=16)
            compare("float32 without TensorFloat-32", exact.run)
        finally:
            tensorflow.config.experimental.enable_tensor_float_32_execution(True)
    for name, precision in PRECISIONS.items():
        loaded = load_extractor(spec, weights=weights, engine="tensorflow", precision=precision)
        compare(name, loaded.extract)
    print_table(
        [
            f"{spec}, {device.name}, weights: {result['weights']}",
            f"largest difference to {on_cpu} on the CPU",
            "largest value",
            "least cosine",
            "of drawn pictures",
            "of noise",
            f"at least {MIN_SAMPLE_COSINE}",
            "s to the first vector",
        ],
        rows,
    )
    return result


def _differences(found: Features, wanted: Features) -> dict[str, Any]:
    """How far vectors are from others; the first half is of drawn pictures, the second of noise."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    cosines = (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)
    drawn, noise = np.split(cosines, [len(cosines) - len(cosines) // 2])
    return {
        "largest difference": float(np.abs(a - b).max()),
        "largest value": float(np.abs(b).max()),
        "not finite": int((~np.isfinite(a).all(axis=1)).sum()),
        "least cosine": float(cosines.min()),
        "of drawn pictures": float(drawn.min()),
        "of noise": float(noise.min()),
    }


def _speed(device: Device, spec: str, folder: Path, budget: Budget) -> Mapping[str, Any]:
    """Pictures a second, from arrays to vectors, by the size of a batch and in each precision.

    It takes a sixth of the budget at most, so that on a slow device the other sections have their turn.
    """
    from stylesearch.extractors import load_extractor
    from stylesearch.extractors.engines.tensorflow import TensorFlowEngine

    network: Any = load_extractor(spec, weights=_weights(spec), engine="tensorflow")
    images = _inputs(folder, network.input_size, max(BATCHES))
    engines = {
        name: TensorFlowEngine(network.recipe, precision, batch_size=max(BATCHES))
        for name, precision in PRECISIONS.items()
    }
    budget = Budget(min(budget.left, budget.seconds / 6), budget.clock)
    rates: dict[str, dict[str, float | str]] = {name: {} for name in engines}
    rows = []
    for size in BATCHES:
        row: list[object] = [size]
        for name, engine in engines.items():
            known = [rate for rate in rates[name].values() if isinstance(rate, float)]
            enough = budget.left > (5 * size / max(known) if known else 0)
            rate = _rate(partial(engine.run, images[:size]), size, budget) if enough else LEFT_OUT
            rates[name][str(size)] = rate
            row.append(_number(rate))
        rows.append(row)
    print_table(
        [f"{spec}, {device.name}: pictures at once", *(f"{name}, pictures/s" for name in engines)], rows
    )
    return {"pictures_per_second": rates}


def _rate(run: Callable[[], object], n: int, budget: Budget) -> float:
    """Images a second of calls of ``n`` each: the median, after one call that does not count."""
    run()
    seconds: list[float] = []
    while len(seconds) < 3 or sum(seconds) < 0.5:
        seconds.append(seconds_of(run))
        if budget.left <= 0:
            break
    return n / statistics.median(seconds)


def _number(rate: float | str) -> str:
    return rate if isinstance(rate, str) else f"{rate:.1f}"


def _white_box(device: Device, folder: Path, budget: Budget) -> Mapping[str, Any]:
    """White-box features in tensors against those of NumPy."""
    from stylesearch.extractors import load_extractor

    result: dict[str, Any] = {"tolerance": WHITE_BOX_TOLERANCE}
    rows = []
    for size in WHITE_BOX_SIZES:
        if budget.left <= 0:
            result[f"{size}"] = LEFT_OUT
            continue
        images = _inputs(folder, size, max(BATCHES))
        noise = np.random.default_rng(0).integers(0, 256, images[:32].shape).astype(np.uint8)
        arrays, tensors = (
            load_extractor(f"whitebox@{size}", engine=engine) for engine in ("numpy", "tensorflow")
        )
        both = np.concatenate([images, noise])
        difference = float(np.abs(arrays.extract(both) - tensors.extract(both)).max())
        of_arrays, of_tensors = (
            _rate(partial(one.extract, images), len(images), budget) for one in (arrays, tensors)
        )
        equal = difference <= WHITE_BOX_TOLERANCE
        result[f"{size}"] = {
            "largest difference": difference,
            "equal": equal,
            "numpy_per_second": of_arrays,
            "tensorflow_per_second": of_tensors,
        }
        rows.append(
            [
                f"{size} x {size}",
                f"{difference:.1e}",
                "yes" if equal else "**no**",
                f"{of_arrays:.0f}",
                f"{of_tensors:.0f}",
            ]
        )
    print_table(
        [
            f"whitebox, {max(BATCHES)} pictures",
            "largest difference",
            f"at most {WHITE_BOX_TOLERANCE:.0e}",
            "NumPy, pictures/s",
            f"TensorFlow, {device.name}, pictures/s",
        ],
        rows,
    )
    return result


def _ingest(spec: str, precision: str, folder: Path, scratch: Path, budget: Budget) -> Mapping[str, Any]:
    """From JPEG files to vectors in a catalog: decoded on the CPU, the network in TensorFlow."""
    from stylesearch.catalog import Catalog
    from stylesearch.extractors import load_extractor
    from stylesearch.features.stream import ExtractionOptions
    from stylesearch.importers.folders.importer import FolderImporter
    from stylesearch.ingest import IngestOptions, ingest
    from stylesearch.parallel import usable_cores

    extractor = load_extractor(
        spec,
        weights=_weights(spec),
        engine="tensorflow",
        precision=PRECISIONS[precision],
        throughput=True,
    )
    options = IngestOptions(extraction=ExtractionOptions(n_workers=usable_cores()))
    # All but the last batch have this size, and both are tuned for before the clock runs.
    for n in {min(32, N_INGESTED), N_INGESTED % 32} - {0}:
        extractor.extract(_inputs(folder, extractor.input_size, n))
    with Catalog.open(scratch / f"{precision}.db") as catalog:
        report = ingest(catalog, folder, FolderImporter(), [extractor], options)
    if report.computed != N_INGESTED:
        raise ValueError(f"{report.computed} of {N_INGESTED} pictures were ingested")
    rate = N_INGESTED / report.seconds["total"]
    seconds = {stage: round(value, 2) for stage, value in report.seconds.items()}
    print_table(
        [f"{spec}, {precision}", "pictures/s", "threads that decode", "seconds of the stages"],
        [[f"{N_INGESTED} pictures", f"{rate:.1f}", usable_cores(), seconds]],
    )
    return {"pictures_per_second": rate, "threads": usable_cores(), "seconds_of_stages": seconds}


def _training(n_products: int, folder: Path, budget: Budget) -> Mapping[str, Any]:
    """Steps of the Siamese network alone, then whole epochs with their validation, on made-up features."""
    from stylesearch.training.candidate import build_batches
    from stylesearch.training.keras.loop import train
    from stylesearch.training.options import TrainOptions

    options = TrainOptions(epochs=EPOCHS).resolve_defaults()
    data = _made_up(n_products)
    steps = _steps(data, options, budget)
    trained = train(data, build_batches(data, options), options, folder)
    epochs = [epoch.seconds for epoch in trained.history[1:]]
    result = {
        "products": n_products,
        "first_step_s": steps[0],
        "step_s": statistics.median(steps[1:]),
        "first_epoch_s": epochs[0],
        "epoch_s": statistics.median(epochs[1:]),
        "products_in_a_batch": options.batch_size,
        "batches_in_an_epoch": build_batches(data, options).n_batches,
    }
    print_table(
        [
            f"{N_REGIONS} regions, {WIDTH} to {options.dim} numbers, {options.loss}",
            "first step, s",
            "a step, ms",
            "batches in an epoch",
            "first epoch, s",
            "an epoch, s",
        ],
        [
            [
                f"{n_products} products",
                f"{result['first_step_s']:.2f}",
                f"{1000 * result['step_s']:.2f}",
                result["batches_in_an_epoch"],
                f"{result['first_epoch_s']:.2f}",
                f"{result['epoch_s']:.2f}",
            ]
        ],
    )
    return result


def _made_up(n_products: int) -> TrainingData:
    """A photo and a shop image of each product: its own vector and noise, of length one."""
    from stylesearch.training.data import TrainingData

    rng = np.random.default_rng(0)
    products = rng.standard_normal((n_products, WIDTH), np.float32)

    def seen(*regions: int) -> Floats:
        noise = rng.standard_normal((n_products, *regions, WIDTH), np.float32)
        vectors = noise + products.reshape(n_products, *(1 for _ in regions), WIDTH)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        return vectors

    numbers = np.arange(n_products)
    return TrainingData(
        photos=seen(N_REGIONS),
        shop=seen(),
        photo_product=numbers,
        shop_product=numbers,
        product_category=("made up",) * n_products,
        train=numbers % 10 != 0,
        validation=numbers % 10 == 0,
    )


def _steps(data: TrainingData, options: TrainOptions, budget: Budget) -> list[float]:
    """Seconds of each of some steps, at least two; the first one makes the graph."""
    from stylesearch.training.candidate import build_batches
    from stylesearch.training.keras.model import build_tower, siamese
    from stylesearch.training.keras.step import Step, strategy_over

    def make_model() -> Any:
        return siamese(build_tower(str(options.head), WIDTH, options.dim), options.metric)

    batches = build_batches(data, options)
    step = Step(make_model, options, data.shape_in, np.float32, strategy_over(1), batches.n_batches)
    seconds: list[float] = []
    while len(seconds) < N_STEPS:
        for batch in batches.epoch():
            inputs = data.photos[batch.photos], data.shop[batch.shop], data.groups[batch.products]
            seconds.append(seconds_of(partial(step.run, *inputs)))
            if len(seconds) >= N_STEPS or (len(seconds) > 1 and budget.left <= 0):
                return seconds
    return seconds
