"""The service, answering on a port of this machine from a thread of this process."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from stylesearch.serving.app import create_app
from stylesearch.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from stylesearch.workspace.workspace import Workspace

__all__ = ["serving"]


@contextlib.contextmanager
def serving(
    workspace: Workspace, settings: ServiceSettings | None = None, **more: Any
) -> Iterator[httpx.Client]:
    """A client of a server that runs meanwhile.

    Args:
        workspace: what is served.
        settings: of the service.
        **more: for ``stylesearch.serving.app.create_app``.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        app = create_app(workspace, settings or ServiceSettings(), **more)
        config = uvicorn.Config(app, access_log=False, log_config=None, proxy_headers=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            patience = time.monotonic() + 30
            while not server.started and thread.is_alive() and time.monotonic() < patience:
                time.sleep(0.01)
            assert server.started, "the server did not start"
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(base_url=address, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(30)
        assert not thread.is_alive(), "the server did not stop"
