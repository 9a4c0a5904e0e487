"""API keys: who may change the catalog."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request

from stylesearch.serving.problems import Problem

__all__ = ["require_key"]

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="stylesearch"'}


def require_key(request: Request, keys: Sequence[str]) -> None:
    """Lets a request pass that brings one of the keys, as ``Authorization: Bearer KEY`` or ``X-API-Key``.

    The time it takes says nothing of a key: digests are compared, all of them, in constant time.

    Raises:
        Problem: 403 where no key is configured, 401 without a key or with a wrong one.
    """
    if not keys:
        raise Problem(
            403,
            "writing is off: this server has no API key",
            hint="whoever runs it can set STYLESEARCH_API_KEY",
            reason="no_key",
        )
    given = _given(request)
    digest = hashlib.sha256(given).digest()
    matches = [hmac.compare_digest(digest, hashlib.sha256(key.encode()).digest()) for key in keys]
    if not given or not any(matches):
        raise Problem(
            401,
            "the API key is wrong" if given else "an API key is needed",
            hint="send Authorization: Bearer KEY, or X-API-Key: KEY",
            headers=CHALLENGE,
            reason="key",
        )


def _given(request: Request) -> bytes:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1")
    return request.headers.get("x-api-key", "").strip().encode("latin-1")
