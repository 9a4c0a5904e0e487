"""A worker process, started by the supervisor or by a user's own ASGI server."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from stylesearch.errors import StyleSearchError
from stylesearch.parallel import limit_cores, usable_cores
from stylesearch.serving.app import create_app
from stylesearch.serving.logs import configure_logging
from stylesearch.serving.middleware.disconnect import CancelWhenGone
from stylesearch.serving.search.background import load_network
from stylesearch.serving.server.http_protocol import TimeoutProtocol
from stylesearch.serving.server.signals import BACKLOG, READY
from stylesearch.serving.settings import ServiceSettings, load_service_settings
from stylesearch.serving.uploads import UploadFolder, resume
from stylesearch.settings import Settings, load_settings
from stylesearch.workspace.workspace import Workspace

__all__ = ["app", "run_worker"]

KEEP_ALIVE_SECONDS = 75
"""Seconds that an idle connection stays open: longer than proxies keep theirs."""


def app() -> Any:
    """Makes the service as an ASGI application, with settings from the environment and ``config.toml``.

    For another server: ``uvicorn --factory stylesearch.serving.server.worker:app``. That server then starts
    and stops the processes.
    """
    settings = load_settings()
    service = load_service_settings(home=settings.home)
    configure_logging(service.log_format)
    return _application(Workspace(settings), service)


def run_worker(
    settings: Settings, service: ServiceSettings, sockets: list[socket.socket], supervisor: Connection
) -> None:
    """Answers requests until a signal arrives; the supervisor starts it as a process.

    Args:
        settings: settings of the workspace.
        service: settings of the service.
        sockets: listening sockets, which are shared with the other workers.
        supervisor: receives ``READY``, or message and hint of the
            error that prevents the start.
    """
    configure_logging(service.log_format)
    _end_with_parent()
    if service.workers > 1:
        limit_cores(math.ceil(usable_cores() / service.workers))
    workspace = Workspace(settings)
    try:
        load_network(workspace)  # imported here, where a failure can be reported without a traceback
    except StyleSearchError as error:
        supervisor.send((error.message, error.hint))
        sys.exit(STARTUP_FAILURE)
    config = uvicorn.Config(
        _application(workspace, service),
        http=TimeoutProtocol,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        # Each worker accepts one waiting connection at a time and leaves others to the rest; uvloop accepts
        # all.
        loop="asyncio",
        backlog=1,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(service.shutdown_grace),
    )
    # Uvicorn raises the signals that it has handled again at its end; SIGINT is ignored then.
    _Server(config, supervisor).run(sockets)


class _Server(uvicorn.Server):
    """A server that sends the supervisor a message when it answers."""

    def __init__(self, config: uvicorn.Config, supervisor: Connection) -> None:
        super().__init__(config)
        self._supervisor = supervisor

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            for listener in sockets or []:
                listener.listen(BACKLOG)  # the server has just set a shorter one
            self._supervisor.send(READY)


def _application(workspace: Workspace, service: ServiceSettings) -> Any:
    own = workspace.settings
    resume(workspace, UploadFolder(own.home, own.uploads))  # left by a worker that was killed
    return CancelWhenGone(create_app(workspace, service))


def _end_with_parent() -> None:
    """Stops this process when its supervisor has ended without stopping it, as when it was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="stylesearch-watch-parent", daemon=True).start()
