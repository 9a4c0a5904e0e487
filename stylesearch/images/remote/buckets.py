"""Which buckets of object stores may be read.

Whoever writes a feed chooses the URLs that this machine asks for, and an object store is asked with this
machine's own credentials. So only buckets that the user names are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from stylesearch.errors import ConfigError

__all__ = ["OBJECT_SCHEMES", "check_bucket", "describe_bucket_refusal", "is_object_url"]

OBJECT_SCHEMES: Final = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
}
"""Package that reads the URLs of a scheme."""

_BUCKET: Final = re.compile(r"(?P<scheme>[A-Za-z0-9]+)://[^/\s]+(?:/\S*)?")


def is_object_url(url: str) -> bool:
    """Whether a URL is of an object store.

    Example:
        >>> is_object_url("s3://shop-media/a.jpg"), is_object_url("https://shop.example/a.jpg")
        (True, False)
    """
    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme.lower() in OBJECT_SCHEMES


def check_bucket(bucket: str) -> None:
    """Refuses what is neither a bucket nor a folder of one.

    Raises:
        ConfigError: it is not.
    """
    found = _BUCKET.fullmatch(bucket)
    if found is None or found["scheme"].lower() not in OBJECT_SCHEMES:
        raise ConfigError(
            f"not a bucket of a known object store. Received: {bucket!r}",
            hint="for example s3://shop-media, or gs://shop-media/products",
        )


def describe_bucket_refusal(url: str, buckets: Iterable[str]) -> str | None:
    """Says why a URL of an object store is not read; None if it may be.

    Args:
        url: the URL.
        buckets: what may be read: buckets, or folders of them.

    Example:
        >>> describe_bucket_refusal("s3://shop-media/a.jpg", ["s3://shop-media"]) is None
        True
    """
    parts = _parts(url)
    if any(part in (".", "..") for part in parts):
        return "a URL with .. in it: it could lead to another bucket"
    # The whole of each part is compared: shop-media is not shop-media-2.
    if any(parts[: len(allowed)] == allowed for allowed in map(_parts, buckets)):
        return None
    bucket = f"{url.partition('://')[0].lower()}://{parts[1]}"
    return f"the bucket {bucket} is not among those that may be read (--allow-bucket {bucket} lets it in)"


def _parts(url: str) -> list[str]:
    """Scheme, bucket and folders of a URL; schemes that one package reads are the same."""
    scheme, _, rest = url.partition("://")
    package = OBJECT_SCHEMES.get(scheme.lower(), "")
    plain = next((name for name, known in OBJECT_SCHEMES.items() if known == package), scheme)
    return [plain, *re.split(r"[/\\]", rest.rstrip("/"))]
