"""``stylesearch serve``: serves the workspace as a REST API and a search page."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylesearch.errors import CatalogError, MissingDependency, NotInCatalog
from stylesearch.wording import count

from .options import Shared, extractor_options, pass_shared, shared_options
from .output import echo_json

if TYPE_CHECKING:
    from stylesearch.settings import Settings

LIBRARIES = ("fastapi", "h11", "prometheus_client", "uvicorn")
LOG_FORMATS = ("json", "text")
IMAGES = ("thumbnail", "shop")


@click.command()
@click.option(
    "--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1, this machine only]"
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 for any free one.  [default: 8000]"
)
@click.option("--workers", type=click.IntRange(1, 256), help="Number of processes.  [default: 1]")
@click.option("-s", "--space", metavar="NAME", help="Default space of a search.")
@click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the keys that may change products, one per line; or set $STYLESEARCH_API_KEY.",
)
@click.option(
    "--rate-limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Requests per minute and client; 0 for no limit.  [default: 0]",
)
@click.option(
    "--queue-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Photos that may wait in a process.  [default: 32]",
)
@click.option(
    "--decode-seconds",
    type=float,
    metavar="SECONDS",
    help="Processor time that decoding an upload may take.  [default: 1.5]",
)
@click.option("--timeout", type=float, metavar="SECONDS", help="Time limit of a search.  [default: 30]")
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="URL",
    help="Other site whose pages may use the API; may be repeated.",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Proxy whose X-Forwarded-For header is trusted; may be repeated.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Accepted host name of requests; may be repeated.  [default: on loopback localhost, else any]",
)
@click.option(
    "--keep-uploads",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the photos of searches in this folder.  [default: none are kept]",
)
@click.option("--title", metavar="TEXT", help="Title of the page.")
@click.option(
    "--images",
    type=click.Choice(IMAGES),
    help="Images on the page: our thumbnails, or the shop's own URLs.  [default: thumbnail]",
)
@click.option("--log-format", type=click.Choice(LOG_FORMATS), help="Format of the log.  [default: json]")
@extractor_options()
@shared_options
@pass_shared
def serve(shared: Shared, **choices: Any) -> int:
    """Serve the workspace as a REST API and a search page.

    Changes of the products take effect without a restart. More settings are read from the table [serve] of
    the workspace's config.toml, and from environment variables STYLESEARCH_SERVE_NAME.
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            f"the service needs libraries that are not installed: {', '.join(missing)}",
            hint="pip install 'stylesearch[serve]'",
        )
    from stylesearch.serving.middleware.hosts import as_bound, is_loopback
    from stylesearch.serving.server.supervisor import bind
    from stylesearch.serving.server.supervisor import serve as serve_until_stopped
    from stylesearch.serving.settings import load_service_settings
    from stylesearch.workspace.fetch_settings import load_fetch_options

    workspace_options = ("space", "extractor", "weights", "engine", "precision")
    settings = shared.load(**{name: choices.pop(name) for name in workspace_options})
    flags = {name: str(value) if isinstance(value, Path) else value for name, value in choices.items()}
    flags = {name: value for name, value in flags.items() if value not in (None, ())}
    service = load_service_settings(flags, home=settings.home)
    if service.shopify_secrets:
        load_fetch_options(settings.home)  # a mistake in them is told here, not by each worker
    quiet = shared.verbosity < 0
    n_products = _count_products(settings)
    with bind(service.host, service.port) as listener:
        address, port = listener.getsockname()[:2]
        url = _url(service.host, port)
        if not is_loopback(address):
            click.secho(
                f"warning: {service.host} is reached by other machines too: everyone who can connect can "
                "search here; put a proxy with TLS in front",
                fg="yellow",
                err=True,
            )

        def ready() -> None:
            if shared.as_json:
                echo_json({"url": url, "docs": f"{url}/docs", "pid": os.getpid()})
            if not quiet:
                click.echo(f"serving {count(n_products, 'product')} of {settings.home} at {url}", err=True)
                click.echo(f"the API is described at {url}/docs; Ctrl-C stops", err=True)

        serve_until_stopped(settings, as_bound(service, address), listener, ready)
    return 0


def _count_products(settings: Settings) -> int:
    """Counts the products, and prints a warning when there are none.

    Raises:
        StyleSearchError: the workspace cannot be searched.
    """
    from stylesearch.workspace.workspace import Workspace

    shop = Workspace(settings)
    try:
        try:
            n_products = shop.catalog.status().products
        except CatalogError:
            if settings.has_catalog:
                raise
            n_products = 0
        try:
            shop.gallery()
        except NotInCatalog:
            if n_products:
                raise
        except CatalogError:
            if settings.has_catalog:
                raise
    finally:
        shop.close()
    if not n_products:
        click.secho(
            f"warning: the workspace {settings.home} is empty, so no search finds anything yet",
            fg="yellow",
            err=True,
        )
        click.echo(
            f"hint: stylesearch --home {settings.home} ingest FOLDER; no restart is needed",
            err=True,
        )
    return n_products


def _url(host: str, port: int) -> str:
    """Makes the URL at which a browser on this machine reaches the service."""
    if host in ("0.0.0.0", "::", ""):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
