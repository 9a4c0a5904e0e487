"""``stylesearch detect``: lists what in a photo can be searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from stylesearch.errors import ImageError

from .completion import complete_photo
from .options import Shared, extractor_options, pass_shared, shared_options
from .output import echo_json, echo_table, list_seconds
from .photos import echo_failure, read_photo, seen_object
from .process import EXIT_SOME_FAILED

if TYPE_CHECKING:
    from stylesearch.search.searcher import DetectResult


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...", shell_complete=complete_photo)
@extractor_options()
@shared_options
@pass_shared
def detect(shared: Shared, photos: tuple[str, ...], **choices: Any) -> int:
    """List the spots of each PHOTO, which can be searched for; `-` reads a photo from standard input.

    Spots are the torso, legs and body of up to four persons, the largest and most central person first, and
    at last the whole photo. The number of a spot is the --region of `stylesearch query` for the same photo.
    """
    extractor = choices.pop("extractor") or ""
    n_failed = 0
    with shared.open(**choices) as shop:
        for number, photo in enumerate(photos):
            try:
                found = shop.detect(read_photo(photo), extractor=extractor)
            except ImageError as error:  # any other error would be the same for every photo
                if len(photos) == 1:
                    raise
                n_failed += 1
                echo_failure(photo, error, shared)
                if shared.as_json:
                    echo_json({"photo": photo, "spots": [], "error": str(error)})
                continue
            if number and not shared.as_json:
                click.echo()
            _show(shared, photo, found)
    return EXIT_SOME_FAILED if n_failed else 0


def _show(shared: Shared, photo: str, found: DetectResult) -> None:
    if shared.as_json:
        spots = [{"number": one.number, "person": one.person, **seen_object(one)} for one in found]
        echo_json({"photo": photo, "width": found.width, "height": found.height, "spots": spots})
    else:
        click.secho(f"{photo}: {found.width} x {found.height} pixels", bold=True)
        echo_table(
            ["number", "region", "person", "kind", "confidence", "box"],
            [
                [
                    one.number,
                    one.region,
                    one.person or None,
                    one.kind,
                    None if one.confidence is None else f"{one.confidence:.0%}",
                    one.box,
                ]
                for one in found
            ],
            right=["number", "person", "confidence"],
        )
    if shared.verbosity > 0:
        click.echo(f"wall: {list_seconds(found.seconds)}", err=True)
