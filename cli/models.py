"""``stylesearch models``: lists, shows, shares and removes trained models."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import click

from .options import Shared, pass_shared, shared_options
from .output import echo_changes, echo_json, echo_table

PARTS = {
    "test": "test products (not used to train or to choose)",
    "validation": "validation products (used to choose the epoch and the weights)",
}
"""The sets of products that scores are of, in the order in which they are shown."""


@click.group(invoke_without_command=True)
@shared_options
@click.pass_context
def models(ctx: click.Context) -> None:
    """List, show, share or remove trained models.

    The model NAME is the space `siamese:NAME`, for `query --space` and `eval --methods`.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models)


@models.command("list")
@shared_options
@pass_shared
def list_models(shared: Shared) -> None:
    """List the trained models of the workspace; a damaged one with the reason why it cannot be used."""
    with shared.open() as shop:
        damaged = shop.models.problems()
        cards = [card for card in shop.models.list() if card.name not in damaged]
    if shared.as_json:
        reasons = [{"name": name, "damaged": reason} for name, reason in damaged.items()]
        echo_json([*(card.to_json() for card in cards), *reasons], indent=2)
        return
    for name, reason in damaged.items():
        click.secho(f"damaged: {name}: {reason}", fg="red", err=True)
        mended = shared.name_workspace(f"stylesearch train {name}, or stylesearch models remove {name}")
        click.echo(f"  -> {mended}", err=True)
    if not cards and damaged:
        return
    if not cards:
        click.echo("no model has been trained; `stylesearch train` trains one")
        return
    echo_table(
        ["model", "space", "extractor", "pairs", "train products", "loss", "metric", "created"],
        [
            [
                card.name,
                card.space,
                card.extractor,
                card.pairs,
                card.n_products.get("train"),
                card.loss,
                card.metric,
                card.created,
            ]
            for card in cards
        ],
        right=["train products"],
    )


@models.command()
@click.argument("name")
@shared_options
@pass_shared
def show(shared: Shared, name: str) -> None:
    """Show the training data, the weights and the scores of the model NAME."""
    with shared.open() as shop:
        card = shop.models.get(name)
    if shared.as_json:
        echo_json(card.to_json(), indent=2)
        return
    values = card.to_json()
    tables = ("weights", "scores")
    echo_table(
        ["", card.space],
        [row for key, value in values.items() if key not in tables for row in _rows_of(key, value)],
    )
    click.echo("\nweight of the learned distance, from 0 (the untrained one alone) to 1:")
    echo_table(
        ["category", "weight"],
        [[category or "any other", f"{weight:.2f}"] for category, weight in sorted(card.weights.items())],
        right=["weight"],
    )
    for part, said in PARTS.items():
        if card.scores.get(part):
            click.echo(f"\nshare of photos whose product is among the first k, in %, on {said}:")
            echo_changes(card.scores[part], card.weights)


@models.command()
@click.argument("name")
@shared_options
@pass_shared
def share(shared: Shared, name: str) -> None:
    """Put the model NAME of this machine into the catalog, for all machines on it.

    Where the setting `artifacts` is `catalog`, training does so by itself; this is for models of before.
    """
    with shared.open() as shop:
        shop.models.share(name)
    if shared.as_json:
        echo_json({"shared": name})
        return
    click.echo(f"shared {name}: the catalog has it")


@models.command()
@click.argument("name")
@shared_options
@pass_shared
def remove(shared: Shared, name: str) -> None:
    """Remove the model NAME and its indexes."""
    with shared.open() as shop:
        changed = shop.models.remove(name)
    if shared.as_json:
        echo_json({"removed": name, "changed_settings": changed})
        return
    click.echo(f"removed {name}")
    for setting, value in changed.items():
        now = f'it is now "{value}"' if value else "the line was removed, and the default is used"
        click.echo(f"config.toml used it as the {setting}; {now}")


def _rows_of(name: str, value: Any) -> list[list[str]]:
    """Formats a value of a card as rows of a table, wrapped to 90 characters."""
    if isinstance(value, Mapping):
        said = {key.replace("_", " "): one for key, one in value.items() if not isinstance(one, Mapping)}
        value = ", ".join(f"{key} {_in_words(one)}" for key, one in said.items() if one is not None)
    lines = textwrap.wrap(str(value), 90, break_long_words=False, break_on_hyphens=False) or [""]
    return [[name.replace("_", " "), lines[0]], *(["", line] for line in lines[1:])]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
