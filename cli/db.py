"""``stylesearch db``: the catalog's schema."""

from __future__ import annotations

import dataclasses

import click

from .options import Shared, pass_shared, shared_options
from .output import echo_json
from .process import EXIT_ERROR


@click.group()
@shared_options
def db() -> None:
    """Upgrade or check the catalog's schema.

    Opening a catalog upgrades it by itself; these commands are for scripts and for the curious.
    """


@db.command()
@shared_options
@pass_shared
def upgrade(shared: Shared) -> None:
    """Create the catalog, or bring an older one to this version."""
    from stylesearch.catalog.migrate import upgrade as upgrade_schema

    done = upgrade_schema(shared.load().database)
    if shared.as_json:
        echo_json(dataclasses.asdict(done))
    else:
        click.echo(f"the catalog is at revision {done.after}")


@db.command()
@shared_options
@pass_shared
def current(shared: Shared) -> None:
    """Print the schema revision of the catalog and the one that this version needs."""
    from stylesearch.catalog.migrate import current_revision
    from stylesearch.catalog.schema_version import HEAD

    revision = current_revision(shared.load().database)
    if shared.as_json:
        echo_json({"current": revision, "needed": HEAD})
    else:
        click.echo(f"catalog: {revision or 'none yet'}, needed: {HEAD}")


@db.command()
@shared_options
@pass_shared
def check(shared: Shared) -> int:
    """Compare the catalog's tables with this version's models, and its pages with their checksums."""
    from stylesearch.catalog.migrate import check_schema

    problems = check_schema(shared.load().database)
    if shared.as_json:
        echo_json({"problems": problems})
    else:
        click.echo("\n".join(problems) if problems else "the schema is what this version needs")
    return EXIT_ERROR if problems else 0
