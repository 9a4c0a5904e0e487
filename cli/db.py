"""``stylesearch db``: backups of the catalog, its export, and its schema."""

from __future__ import annotations

import dataclasses

import click

from .db_backup import backup, restore, vacuum
from .db_check import check
from .db_transfer import copy, export, import_
from .options import Shared, pass_shared, shared_options
from .output import echo_json


@click.group()
@shared_options
def db() -> None:
    """Back up, restore, export, check or upgrade the catalog.

    A catalog is upgraded whenever it is opened: `upgrade` and `current` are for scripts.
    """


for command in (backup, restore, vacuum, export, import_, copy, check):
    db.add_command(command)


@db.command()
@shared_options
@pass_shared
def upgrade(shared: Shared) -> None:
    """Create the catalog, or upgrade an older one to the schema of this version."""
    from stylesearch.catalog.migrate import upgrade as upgrade_schema

    done = upgrade_schema(shared.load().backend())
    if shared.as_json:
        echo_json(dataclasses.asdict(done))
    else:
        click.echo(f"the catalog is at revision {done.after}")


@db.command()
@shared_options
@pass_shared
def current(shared: Shared) -> None:
    """Print the catalog's schema revision and the revision that this version needs."""
    from stylesearch.catalog.migrate import current_revision
    from stylesearch.catalog.schema_version import HEAD

    revision = current_revision(shared.load().backend())
    if shared.as_json:
        echo_json({"current": revision, "needed": HEAD})
    else:
        click.echo(f"catalog: {revision or 'none yet'}, needed: {HEAD}")
