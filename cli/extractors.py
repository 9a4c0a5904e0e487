"""``stylesearch extractors``: lists the extractors."""

from __future__ import annotations

import click

from .options import Shared, pass_shared, shared_options
from .output import echo_json, echo_table

FOOTER = (
    "NAME+colors, after the name of a network, adds a color histogram of 108 numbers to its features; "
    "efficientnet-lite0+texture statistics of its middle layers. "
    "The default is efficientnet-lite0@320+texture+colors."
)


@click.command()
@shared_options
@pass_shared
def extractors(shared: Shared) -> None:
    """List the extractors, which turn images into features.

    The feature is the output of the layer shown; parameters are counted up to that layer. NAME@SIZE sets
    another input size. NAME+colors, after the name of a network, adds a color histogram to its features, and
    efficientnet-lite0+texture statistics of its middle layers.

    The default is efficientnet-lite0@320+texture+colors.
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
