"""Finds the pictures that a table names: files of its folder or of the media root, and URLs.

A table may come from an untrusted source, so unless the user allows more it can name no file outside these
folders: not by an absolute path, not by ``..``, not through links.
"""

from __future__ import annotations

import functools
import json
import os
import re
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from stylesearch.images.source import without_secrets
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.items import BadRow

__all__ = ["PictureFinder", "is_url", "split_pictures"]

_URL: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]+):)?//")
_URL_STARTS: Final = re.compile(r"\s*(?:[,;|]\s*|\s)(?=(?:[A-Za-z][A-Za-z0-9+.-]+:)?//)")
_IMAGE_END: Final = r"\.(?:jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf]|jxl)"
_IMAGE_NAME: Final = re.compile(f".*{_IMAGE_END}", re.IGNORECASE | re.DOTALL)
_BETWEEN_IMAGES: Final = re.compile(rf"({_IMAGE_END})\s*[|;,\n]\s*", re.IGNORECASE)
_NO_PICTURE: Final = frozenset(
    (
        *(
            "-",
            "--",
            "–",
            "—",
            "/",
            "n/a",
            "#n/a",
            "na",
            "nan",
            "none",
            "null",
            "nil",
            "no image",
            "no picture",
        ),
        *("keine", "kein", "kein bild", "keines", "leer", "ohne", "aucune", "aucun", "ninguna", "ninguno"),
        *("nessuna", "nessuno", "geen", "无", "無"),
    )
)
"""What people and programs write where there is no picture."""

_SHOWN: Final = 200


def is_url(text: str) -> bool:
    """Whether a text is a URL of a picture, rather than a path.

    Example:
        >>> [is_url(text) for text in ("https://s.example/a.jpg", "//s.example/a.jpg", "img/a.jpg")]
        [True, True, False]
    """
    return _URL.match(text) is not None


def split_pictures(text: str) -> list[str]:
    r"""Splits the pictures in one cell, between which are ``|``, ``,``, ``;`` or line breaks, or a JSON list.

    A path may have these characters itself: it is split only where every part looks like a picture. What
    stands for no picture, such as ``-``, is none.

    Example:
        >>> split_pictures("a.jpg|img/b 2.png")
        ['a.jpg', 'img/b 2.png']
        >>> split_pictures("a, rot.jpg, b, blau.jpg"), split_pictures("n/a")
        (['a, rot.jpg', 'b, blau.jpg'], [])
        >>> split_pictures("Dress, red.jpg"), split_pictures("https://s.example/w_3,h_4/a.jpg")
        (['Dress, red.jpg'], ['https://s.example/w_3,h_4/a.jpg'])
        >>> split_pictures('["a.jpg", {"src": "b.jpg"}]')
        ['a.jpg', 'b.jpg']
    """
    if text.strip().casefold() in _NO_PICTURE:
        return []
    if text.startswith("[") and (listed := _json_list(text)) is not None:
        return listed
    pictures: list[str] = []
    for part in _URL_STARTS.split(text):
        if is_url(part):
            pictures.append(part.rstrip(",;|").strip())
        else:
            pictures += _split_paths(part)
    return [picture for picture in pictures if picture]


class PictureFinder:
    """Finds the pictures that one table names.

    Args:
        folder: the folder of the table, absolute.
        options: its ``media_root`` is where relative paths start from, else ``folder``; ``allow_outside``
            lets in files of other folders.
    """

    def __init__(self, folder: Path, options: ImportOptions) -> None:
        root = options.media_root
        self._allow_outside = options.allow_outside
        self._base_url = root.rstrip("/") + "/" if is_url(root) else ""
        self._has_root = bool(root)
        is_folder = bool(root) and not self._base_url
        self._folder = str(Path(root).expanduser().absolute()) if is_folder else str(folder)
        places = {os.path.realpath(folder), os.path.realpath(self._folder)}
        self._inside = tuple(place.rstrip("/") + "/" for place in sorted(places))
        self._real_folder = functools.lru_cache(maxsize=1024)(os.path.realpath)
        self._odd_names = functools.lru_cache(maxsize=64)(_oddly_written_names)

    def locate(self, text: str) -> str:
        """Finds the picture that a table names: the absolute path of its file, or its URL.

        Raises:
            BadRow: it is in the table itself, or a file that is outside, missing, or no file.
        """
        text = text.strip()
        if text[:5].lower() == "data:":
            raise BadRow(f"a picture in the table itself cannot be read. Received: {text[:40]}")
        if found := _URL.match(text):
            if (found[1] or "").lower() != "file":
                return _plain_url(text)
            text = _path_of_url(text)
        elif self._base_url:
            return self._base_url + quote(text.replace("\\", "/").lstrip("/"), safe="/%~!$&'()*+,;=:@")
        return self._locate_file(text)

    def relative(self, locator: str) -> str:
        """Makes what ``locate`` returned relative to the folder that paths start from, in NFC.

        Of another URL user name and password are left out: it may become an id, which others see.
        """
        if self._base_url and locator.startswith(self._base_url):
            return unquote(locator.removeprefix(self._base_url))
        if is_url(locator):
            return without_secrets(locator)
        return unicodedata.normalize("NFC", os.path.relpath(locator, self._folder))

    def _locate_file(self, text: str) -> str:
        path = self._join(text)
        if "\\" in text and not os.path.lexists(path):
            path = self._join(text.replace("\\", "/"))  # written on Windows
        real = self._real(path)
        self._check_inside(real, text)
        try:
            mode = self._mode(path)
            if mode is None and not path.isascii() and ".." not in path.split("/"):
                path = self._find_form(path)
                real = self._real(path)
                self._check_inside(real, text)
                mode = self._mode(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BadRow(f"cannot look at the picture {_shorten(path)}: {reason}") from error
        if mode is None:
            raise BadRow(f"no such picture: {_shorten(path)}")
        if not stat.S_ISREG(mode):
            raise BadRow(f"not a file: {_shorten(path)}")
        # Removing ".." from a path through a link would change where it leads.
        return real if ".." in path.split("/") else os.path.normpath(path)

    def _join(self, text: str) -> str:
        """Joins a path with the folder; shop systems write paths below the media root with a ``/`` first."""
        if self._has_root and text.startswith("/") and not text.startswith(self._inside):
            text = text.lstrip("/")
        return os.path.join(self._folder, text)  # noqa: PTH118 - an absolute path replaces the folder

    def _check_inside(self, real: str, text: str) -> None:
        if not self._allow_outside and not real.startswith(self._inside):
            raise BadRow(
                "the picture is outside the folder of the table (--allow-outside lets it in). "
                f"Received: {_shorten(text)}"
            )

    def _mode(self, path: str) -> int | None:
        try:
            return os.stat(path).st_mode  # noqa: PTH116 - five million of them: no Path for each
        except FileNotFoundError:
            return None

    def _find_form(self, path: str) -> str:
        """Finds the file whose path differs from this one only in Unicode's form; else returns ``path``."""
        found = "/"
        for name in path.split("/"):
            if not name:
                continue
            forms = dict.fromkeys([name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))])
            here = next((form for form in forms if os.path.lexists(found + form)), None)
            here = here or self._odd_names(found).get(unicodedata.normalize("NFC", name))
            if here is None:
                return path
            found += here + "/"
        return found.rstrip("/")

    def _real(self, path: str) -> str:
        """``os.path.realpath``, with the folder's part cached between images."""
        if "\0" in path:
            raise BadRow("a NUL character in the path of the picture")
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        plain = os.path.join(self._real_folder(folder), name)  # noqa: PTH118 - as above
        return os.path.realpath(plain) if os.path.islink(plain) else plain  # noqa: PTH114 - as above


def _oddly_written_names(folder: str) -> Mapping[str, str]:
    """The names in a folder that are neither composed nor decomposed but half of each, by their form NFC."""
    names: dict[str, str] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if not name.isascii():
                    composed = unicodedata.normalize("NFC", name)
                    if name not in (composed, unicodedata.normalize("NFD", name)):
                        names[composed] = name
    except OSError:
        return {}
    return names


def _plain_url(text: str) -> str:
    """Writes a URL as browsers do: no line breaks, ``//host`` as https, blanks as ``%20``."""
    url = re.sub(r"[\t\r\n]", "", text)
    if url.startswith("//"):
        url = "https:" + url
    scheme, _, rest = url.partition("://")
    return f"{scheme.lower()}://{rest.replace(' ', '%20')}"


def _path_of_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise BadRow(f"the file is on another machine. Received: {_shorten(text)}")
    return unicodedata.normalize("NFC", unquote(parts.path))


def _split_paths(text: str) -> list[str]:
    for separator in ("\n", "|", ";", ","):
        parts = [part.strip() for part in text.split(separator)]
        parts = [part for part in parts if part]
        if len(parts) > 1 and all(_IMAGE_NAME.fullmatch(part) for part in parts):
            return parts
    parts = _BETWEEN_IMAGES.sub("\\1\n", text).strip().split("\n")
    if len(parts) > 1 and all(_IMAGE_NAME.fullmatch(part) for part in parts):
        return parts
    return [text.strip(" \t\r\n,;|")]


def _json_list(text: str) -> list[str] | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    names: list[str] = []
    for value in values:
        if isinstance(value, dict):
            value = next((value[key] for key in ("src", "url", "image", "path") if value.get(key)), None)
        if isinstance(value, str) and value.strip():
            names.append(value.strip().encode("utf-8", "replace").decode())  # JSON can write half characters
    return names


def _shorten(text: str) -> str:
    text = without_secrets(text)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
