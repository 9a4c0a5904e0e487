"""``stylesearch extractors``: what can turn pictures into features."""

from __future__ import annotations

import click

from .options import Shared, pass_shared, shared_options
from .output import echo_json, echo_table

FOOTER = (
    "+colors behind any network joins a color histogram of 108 numbers to its features "
    "(efficientnet-lite0@320+colors: the default)."
)


@click.command()
@shared_options
@pass_shared
def extractors(shared: Shared) -> None:
    """List what can turn pictures into features.

    Layer, width and parameters are those up to the layer whose output is the feature. Behind a name may stand
    @SIZE, for another input size, and behind a network +colors, which joins a color histogram to its
    features: efficientnet-lite0@320+colors is what is used by default.
    """
    from stylesearch.extractors import describe_extractors

    described = describe_extractors()
    if shared.as_json:
        echo_json(
            [
                {
                    "name": one.name,
                    "layer": one.layer,
                    "dim": one.dim,
                    "parameters": one.parameters,
                    "input_size": one.input_size,
                    "weights": one.weights,
                    "engine": one.engine,
                    "device": one.device,
                }
                for one in described
            ],
            indent=2,
        )
        return
    echo_table(
        ["extractor", "layer", "dim", "parameters", "input", "engine", "device", "weights"],
        [
            [
                one.name,
                one.layer,
                one.dim,
                f"{one.parameters:,}",
                f"{one.input_size}x{one.input_size}",
                one.engine,
                one.device,
                one.weights,
            ]
            for one in described
        ],
        right=["dim", "parameters"],
    )
    if shared.verbosity >= 0:
        click.echo(FOOTER, err=True)
