"""Trains the head that names kinds of garments, says how often it is right, and writes it with its card.

Options are chosen on validation photos; then the head is trained on training and validation photos together,
and the test photos are looked at once.

Environment: ``STYLESEARCH_TEST_DATA`` (real photos), ``BENCH_FOLDER`` (where features are kept; else the
workspace's cache), ``BENCH_HEAD`` (where weights and card are written; else ``head`` in that folder; those
that are shipped lie in ``stylesearch/kinds``).
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.kind_examples import PHOTO_BOXES, SEEDS, SOURCES, Examples, collect_examples, the_extractor
from benchmarks.kind_photos import KINDS, PARTS, SHARES, KindPhotos, cache_folder, kind_photos
from benchmarks.lever_features import Floats
from benchmarks.lever_vectors import signed_root, unit
from benchmarks.measuring import print_table
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.extractors.base import Extractor
from stylesearch.files import atomic_file, sha256_bytes, write_json
from stylesearch.kinds.head import CARD, WEIGHTS, HeadFeatures, KindHead
from stylesearch.spaces.parts import FeatureParts

__all__ = ["main", "right_with_interval"]

Layers = list[tuple[Floats, Floats]]

N_RESAMPLES: Final = 2000
EPOCHS: Final = 20
STEP: Final = 1e-3
SPREAD: Final = 30.0
"""What the inputs, vectors of length one, are multiplied by while training, so that numbers are about one."""


@dataclass(frozen=True)
class Options:
    """What is chosen on validation photos.

    Attributes:
        inputs: ``"roots"`` (signed square roots at length one), ``"centred roots"`` (less their mean, each
            divided by its deviation) or ``"plain"`` (features at length one).
        hidden: numbers between the two layers; 0 for a single layer.
        decay: weight of the squares of the matrices in the loss.
        cut_out, drawn: weight of an example of these sources, where one of a real photo has 1.
        balance: 0 where kinds count by their number of photos, 1 where all count alike.
    """

    inputs: str = "roots"
    hidden: int = 0
    decay: float = 1e-4
    cut_out: float = 0.5
    drawn: float = 0.3
    balance: float = 0.5


FIRST: Final = tuple(
    Options(inputs=inputs, hidden=hidden, decay=decay)
    for (inputs, hidden), decay in itertools.product(
        (("roots", 0), ("roots", 24), ("centred roots", 0), ("plain", 0)), (1e-4, 1e-3, 3e-3)
    )
)
"""Inputs, layers and decay; the best of those that ``KindHead`` takes, roots, is varied further."""


def main() -> None:
    """Prints what was tried and the accuracy on test photos; writes weights and card."""
    photos = kind_photos()
    if photos is None:
        print("Real photos are needed: set STYLESEARCH_TEST_DATA.")
        return
    extractor = the_extractor()
    examples = {part: collect_examples(photos, part, extractor) for part in PARTS}
    train, validation, test = (_network_part(examples[part], extractor) for part in PARTS)
    options, temperature = _choose_options(train, validation)
    layers = _train(_join(train, validation), options, temperature)
    head = KindHead(KINDS, _head_features(extractor), layers)
    scores = _scores(head, test)
    _print_scores(scores)
    folder = Path(os.environ.get("BENCH_HEAD") or cache_folder() / "head")
    _write(folder, layers, _card(head, options, photos, scores))
    print(f"\nweights and card: {folder}")


def right_with_interval(is_right: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """The share that is right, with its 95 % bootstrap interval."""
    drawn = np.random.default_rng(0).integers(0, len(is_right), (N_RESAMPLES, len(is_right)))
    low, high = np.percentile(is_right[drawn].mean(axis=1), [2.5, 97.5])
    return float(is_right.mean()), float(low), float(high)


def _network_part(examples: Examples, extractor: Extractor) -> Examples:
    network = FeatureParts.of_extractor(extractor).split(examples.features)[0]
    return replace(examples, features=np.ascontiguousarray(network))


def _join(one: Examples, other: Examples) -> Examples:
    return Examples(
        np.concatenate([one.features, other.features]),
        np.concatenate([one.kinds, other.kinds]),
        np.concatenate([one.sources, other.sources]),
        np.concatenate([one.is_whole, other.is_whole]),
    )


def _choose_options(train: Examples, validation: Examples) -> tuple[Options, float]:
    """Tries options; returns the best ones, and what their numbers are divided by to be probabilities."""
    found: dict[Options, tuple[float, float]] = {}
    rows: list[list[str]] = []

    def measure(options: Options) -> None:
        if options in found:
            return
        numbers = _numbers(_train(train, options, 1.0), validation, options)
        temperature = min(np.geomspace(0.3, 3, 47), key=lambda t: _loss(numbers / t, validation))
        found[options] = _loss(numbers / temperature, validation), float(temperature)
        is_right = numbers.argmax(axis=1) == validation.kinds
        shares = [f"{100 * is_right[validation.rows(one, whole=True)].mean():.1f}" for one in SOURCES]
        rows.append([*map(str, asdict(options).values()), *shares, f"{found[options][0]:.3f}"])

    def best() -> Options:
        return min((one for one in found if one.inputs == "roots"), key=lambda one: found[one][0])

    for options in FIRST:
        measure(options)
    for cut_out, drawn in itertools.product((0.5, 1.0), (0.0, 0.3, 1.0)):
        measure(replace(best(), cut_out=cut_out, drawn=drawn))
    for balance in (0.0, 0.5, 1.0):
        measure(replace(best(), balance=balance))
    print_table([*asdict(Options()), *(f"{source}, % right" for source in SOURCES), "loss"], rows)
    print(f"\nchosen, by the loss on validation images: {best()}\n")
    return best(), found[best()][1]


def _loss(numbers: Floats, examples: Examples) -> float:
    """Mean of the sources' cross entropies of whole images; real photos count seven tenths."""
    values = numbers.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    chosen = values[np.arange(len(values)), examples.kinds] - np.log(np.exp(values).sum(axis=1))
    means = {source: -float(chosen[examples.rows(source, whole=True)].mean()) for source in SOURCES}
    return 0.7 * means["photo"] + sum(means[source] for source in SOURCES if source != "photo") / 10


def _numbers(layers: Layers, examples: Examples, options: Options) -> Floats:
    """What the last layer gives, before it becomes probabilities."""
    values = unit(examples.features if options.inputs == "plain" else signed_root(examples.features))
    for number, (matrix, offsets) in enumerate(layers):
        values = (np.maximum(values, 0) if number else values) @ matrix + offsets
    return values


def _train(examples: Examples, options: Options, temperature: float) -> Layers:
    """Trains with Keras; the layers take the inputs as ``KindHead`` does (or plain ones)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    keras.utils.set_random_seed(3)
    inputs = unit(examples.features if options.inputs == "plain" else signed_root(examples.features))
    shift = np.zeros(inputs.shape[1], np.float32)
    scale = np.full(inputs.shape[1], SPREAD, np.float32)
    if options.inputs == "centred roots":
        shift, scale = inputs.mean(axis=0), np.float32(1) / (inputs.std(axis=0) + np.float32(1e-3))
    widths = [*([options.hidden] if options.hidden else []), len(KINDS)]
    layers = [
        keras.layers.Dense(
            width,
            activation="relu" if width != len(KINDS) else None,
            kernel_regularizer=keras.regularizers.L2(options.decay),
        )
        for width in widths
    ]
    model = keras.Sequential([keras.Input((inputs.shape[1],)), *layers])
    n_steps = EPOCHS * -(-len(inputs) // 256)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(STEP, n_steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        (inputs - shift) * scale,
        examples.kinds,
        sample_weight=_weights(examples, options),
        epochs=EPOCHS,
        batch_size=256,
        verbose=0,
    )
    trained: Layers = [(matrix, offsets) for matrix, offsets in (layer.get_weights() for layer in layers)]
    matrix, offsets = trained[0]
    trained[0] = (matrix * scale[:, None], np.asarray(offsets - (shift * scale) @ matrix, np.float32))
    matrix, offsets = trained[-1]
    trained[-1] = (matrix / np.float32(temperature), offsets / np.float32(temperature))
    return trained


def _weights(examples: Examples, options: Options) -> Floats:
    of_source = np.array([1.0, options.cut_out, options.drawn, 1.0])
    weights = of_source[examples.sources]
    of_photos = np.bincount(examples.kinds, weights, len(KINDS))
    weights = weights / (of_photos[examples.kinds] / of_photos.mean()) ** options.balance
    return np.asarray(weights / weights.mean(), np.float32)


def _head_features(extractor: Extractor) -> HeadFeatures:
    parameters = extractor.parameters
    parts = FeatureParts.of_extractor(extractor)
    dim, n_colors = parts.n_network(extractor.dim), parts.n_colors
    name = extractor.name.partition("+")[0]
    appended = {colors + texture for colors in (0, n_colors) for texture in (0, BACKBONES[name].texture_dim)}
    return HeadFeatures(
        name,
        parameters["input_size"],
        parameters["layer"],
        parameters["preprocessing"],
        extractor.weights_digest,
        tuple(dim + n for n in sorted(appended)),
    )


def _scores(head: KindHead, test: Examples) -> dict[str, Any]:
    """Shares that are right on test images, each with its interval and number."""
    found = head.predict(test.features)
    named = found.argmax(axis=1)
    is_right = named == test.kinds

    def score(rows: npt.NDArray[np.intp]) -> dict[str, Any]:
        share, low, high = right_with_interval(is_right[rows])
        return {"right": round(share, 4), "interval": [round(low, 4), round(high, 4)], "n": len(rows)}

    photos = test.rows("photo")
    confusion = np.zeros((len(KINDS), len(KINDS)), int)
    np.add.at(confusion, (test.kinds[photos], named[photos]), 1)
    return {
        "photos": score(photos),
        "by kind": {
            kind: score(photos[test.kinds[photos] == number])
            for number, kind in enumerate(KINDS)
            if (test.kinds[photos] == number).any()
        },
        "other images": {source: score(test.rows(source)) for source in SOURCES[1:]},
        "mean probability of the named kind": round(float(found[photos].max(axis=1).mean()), 4),
        "named (columns) by kind (rows)": confusion.tolist(),
    }


def _print_scores(scores: Mapping[str, Any]) -> None:
    def row(name: str, score: Mapping[str, Any]) -> list[str]:
        low, high = score["interval"]
        return [name, str(score["n"]), f"{100 * score['right']:.1f} [{100 * low:.0f}, {100 * high:.0f}]"]

    rows = [row("all test photos", scores["photos"])]
    rows += [row(kind, score) for kind, score in scores["by kind"].items()]
    rows += [row(f"test images: {source}", score) for source, score in scores["other images"].items()]
    print_table(["", "n", "right, %"], rows)
    print()
    confusion = scores["named (columns) by kind (rows)"]
    print_table(
        ["named (columns)", *KINDS], [[kind, *row] for kind, row in zip(KINDS, confusion, strict=True)]
    )


def _card(head: KindHead, options: Options, photos: KindPhotos, scores: Mapping[str, Any]) -> dict[str, Any]:
    counts = {part: len(photos.part(part).paths) for part in PARTS}
    return {
        "what": "names the kind of garment from the features of an image",
        "created": datetime.now(UTC).date().isoformat(),
        "kinds": list(head.kinds),
        "features": asdict(head.features),
        "data": {
            "photos": f"{sum(counts.values())} users' photos of single garments, the clothing dataset "
            "(Alexey Grigorev and others, 2020), CC0",
            "drawn": "garments, people and scenes of stylesearch/drawn_shop, textures and gradients",
        },
        "split": {
            "by": "photo; equal and near-equal photos stay in one part",
            "shares": dict(zip(PARTS, SHARES, strict=True)),
            "photos": counts,
            "trained on": "train and validation, after options were chosen on validation",
        },
        "views": f"of each photo {len(PHOTO_BOXES)} regions; its garment cut out on white; mirror images",
        "seeds of drawings": SEEDS,
        "options": asdict(options),
        "scores on test": dict(scores),
        "test photos": sorted(f"{path.parent.name}/{path.name[:8]}" for path in photos.part("test").paths),
        "limits": [
            "photos are of garments lying or hanging, few are worn: worn garments are misread more often",
            "photos of one user share light and ground, and lie in several parts: other users' photos may be "
            "read less well",
            "t-shirt includes tops without sleeves, longsleeve jumpers, outwear jackets and coats",
            "not a garment was learned from drawings, textures and close-ups of cloth, not from real scenes",
        ],
        "made by": "BENCH_HEAD=stylesearch/kinds python -m benchmarks kind_head",
        "libraries": {name: version(name) for name in ("keras", "tensorflow", "openvino", "numpy")},
    }


def _write(folder: Path, layers: Layers, card: dict[str, Any]) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for number, (matrix, offsets) in enumerate(layers):
        arrays |= {f"matrix_{number}": matrix.astype(np.float16), f"offsets_{number}": offsets}
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / WEIGHTS) as file:
        file.write(packed.getvalue())
    write_json(folder / CARD, card | {"weights_sha256": sha256_bytes(packed.getvalue())})
