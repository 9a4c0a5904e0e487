"""Settings of a workspace: the rules for their values, and loading, reading and changing them.

A flag wins over the environment, that over the file, that over the default. The file is ``config.toml`` in
the workspace folder; the environment variable of a setting is its name in capitals behind ``STYLESEARCH_``
(``STYLESEARCH_EXTRACTOR=resnet50``).
"""

from __future__ import annotations

import codecs
import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit

from stylesearch.data_files import parse_toml, read_text
from stylesearch.errors import ConfigError
from stylesearch.extractors.spec import absolute_spec
from stylesearch.files import atomic_file, expand_user
from stylesearch.images.limits import DecodingLimits

if TYPE_CHECKING:
    from stylesearch.catalog.backends import Backend

__all__ = [
    "DEFAULT_HOME",
    "SettingRules",
    "Settings",
    "change_settings",
    "kinds_of",
    "load_settings",
    "read_settings",
    "read_table",
]

DEFAULT_HOME: Final = ".stylesearch"
CONFIG_FILE: Final = "config.toml"
ENVIRONMENT_PREFIX: Final = "STYLESEARCH_"
TABLES: Final = {"fetch", "serve"}
"""Tables of the file that are no settings of a workspace: see ``read_table``."""


def kinds_of(settings: type) -> dict[str, type]:
    """Finds the type of each setting of a dataclass by its default."""
    return {one.name: type(one.default) for one in dataclasses.fields(settings)}


_WORDS: Final = {int: "a whole number", float: "a number", str: "a text"}
"""What a value of each type is called in messages."""


@dataclass(frozen=True, slots=True)
class SettingRules:
    """Types and bounds of settings, each by its name.

    Attributes:
        kinds: type of each setting.
        least: smallest value of the settings that have one.
        most: largest value of the settings that have one.
        choices: allowed values of the settings with a fixed choice.
        tables: names of tables that may stand beside the settings.
    """

    kinds: Mapping[str, type]
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: tuple[str, ...] = ()

    def kind_of(self, name: str, origin: str) -> type:
        """The type of the setting ``name``.

        Args:
            name: name of the setting, as it was written.
            origin: the place where it was written, for messages.

        Raises:
            ConfigError: there is no such setting.
        """
        if name not in self.kinds:
            known = ", ".join((*self.kinds, *(f"the table [{table}]" for table in self.tables)))
            near = difflib.get_close_matches(name, (*self.kinds, *self.tables), n=1)
            suggestion = f". Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{origin} has an unknown setting {name!r}{suggestion}", hint=f"known: {known}")
        return self.kinds[name]

    def convert(self, name: str, value: Any, origin: str) -> Any:
        """Converts a value to the type of the setting ``name``, and checks its bounds.

        Raises:
            ConfigError: there is no such setting, or the value is of another type or out of bounds.

        Example:
            >>> SettingRules({"port": int}, most={"port": 65535}).convert("port", "8000", "the environment")
            8000
        """
        kind = self.kind_of(name, origin)
        if kind is tuple:
            return _convert_list(name, value, origin)
        if kind is bool:
            return _convert_flag(name, value, origin)
        refused = ConfigError(f"{origin}: {name} wants {_WORDS[kind]}. Received: {value!r}")
        if isinstance(value, bool) or (kind is str and (not isinstance(value, str) or "\0" in value)):
            raise refused
        try:
            converted = kind(value)
        except (TypeError, ValueError, OverflowError):
            raise refused from None
        # Written with "not", so that the bounds refuse NaN as well.
        if name in self.least and not converted >= self.least[name]:
            raise ConfigError(f"{origin}: {name} is at least {self.least[name]}. Received: {value!r}")
        if name in self.most and not converted <= self.most[name]:
            raise ConfigError(f"{origin}: {name} is at most {self.most[name]}. Received: {value!r}")
        if name in self.choices and converted not in self.choices[name]:
            known = ", ".join(self.choices[name])
            raise ConfigError(f"{origin}: {name} is one of {known}. Received: {value!r}")
        return converted


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a workspace, which apply unless a call overrides them.

    Attributes:
        home: the workspace folder.
        db: URL of the catalog, ``postgresql://user:password@host/name`` or a path of SQLite's; empty for
            ``catalog.db`` in ``home``.
        db_pool_size: connections to a server that are kept open.
        db_pool_overflow: connections to a server that may be opened beside them when all are in use.
        db_pool_recycle: seconds after which a connection to a server is made anew; 0 for never.
        db_connect_timeout: seconds to wait for a server, and for a connection that is in use to become free.
        artifacts: where fits of spaces and trained models are: ``home`` for the workspace folder,
            ``catalog`` for the catalog, whose machines then share them; empty for ``catalog`` where ``db`` is
            PostgreSQL, else ``home``.
        uploads: where images that are put over the API are: empty for ``uploads/`` in ``home``, a folder that
            machines share, or a URL of an object store, ``s3://bucket/uploads``.
        extractor: extractor of features, ``name`` or ``name@input_size``, or the path of a ``.keras`` file;
            behind a network, ``+texture`` and ``+colors`` join these to it. In the settings file, a model's
            file in the workspace folder goes by its path from there on.
        weights: ``imagenet``, ``random``, a file, or empty for the extractor's own.
        engine: ``auto``, ``openvino`` or ``tensorflow``.
        precision: ``auto``, ``f32``, ``bf16`` or ``mixed_float16``.
        space: ``mixed``, ``raw``, ``whitened``, or ``siamese:NAME`` for a trained model, which brings its own
            extractor and metric.
        metric: ``l1``, ``l2`` or ``cosine``; for spaces that are not a trained model's.
        candidates: ``local`` for indexes in files of the workspace, ``faiss`` for these with inverted lists
            of all images, ``pgvector`` for a table in the catalog's database, which has to be PostgreSQL.
        regions: plan of the regions of a query photo that are searched with.
        max_pixels: images with more pixels are refused before they are decoded.
        max_file_bytes: files of images with more bytes are refused before they are read.
        decode_memory: bytes for all images that are being decoded at the same time; those that do not fit
            wait, and one that takes more than three quarters of it is refused.
        decode_seconds: processor time that decoding one image may take, while ingesting.
        decode_processes: whether an ingest and the service decode in processes of their own, which can be
            ended; on systems other than Linux they never do.
        batch_size: images a forward pass while ingesting.
        workers: threads that decode while ingesting; 0 for one a core.
        lock_timeout: seconds to wait for another process that writes.
        cluster: where features of many images are computed: ``dask://HOST:8786``, ``ray://HOST:10001`` or
            ``local:N`` for N processes of this machine; empty for threads of this process.
    """

    home: Path = Path(DEFAULT_HOME)
    db: str = ""
    db_pool_size: int = 5
    db_pool_overflow: int = 10
    db_pool_recycle: float = 1800.0
    db_connect_timeout: float = 10.0
    artifacts: str = ""
    uploads: str = ""
    extractor: str = "efficientnet-lite0@320+texture+colors"
    weights: str = ""
    engine: str = "auto"
    precision: str = "auto"
    space: str = "mixed"
    metric: str = "cosine"
    candidates: str = "local"
    regions: str = "person"
    max_pixels: int = 200_000_000
    max_file_bytes: int = 200_000_000
    decode_memory: int = 1_000_000_000
    decode_seconds: float = 10.0
    decode_processes: bool = True
    batch_size: int = 32
    workers: int = 0
    lock_timeout: float = 30.0
    cluster: str = ""

    @property
    def database(self) -> str:
        """URL, which may hold a password, or file of the catalog."""
        return self.db or str(self.home / "catalog.db")

    def backend(self) -> Backend:
        """The database that keeps the catalog; ``str`` of it is for messages, without a password.

        Raises:
            ConfigError: ``db`` is the URL of another database than SQLite or PostgreSQL.
            CatalogError: it is an SQLite database in memory.
            MissingDependency: the driver of PostgreSQL is not installed.
        """
        from stylesearch.catalog.backends import PoolSettings, backend_of

        pool = PoolSettings(
            self.db_pool_size, self.db_pool_overflow, self.db_pool_recycle, self.db_connect_timeout
        )
        return backend_of(self.database, pool)

    @property
    def shares_artifacts(self) -> bool:
        """Whether fits and trained models are in the catalog, for all machines on it."""
        on_server = re.match(r"postgresql(\+\w+)?://", self.db) is not None
        return self.artifacts == "catalog" or (not self.artifacts and on_server)

    @property
    def pictures(self) -> Path:
        """Folder of the pictures that were fetched from URLs."""
        return self.home / "pictures"

    @property
    def has_catalog(self) -> bool:
        """Whether there is a catalog.

        Raises:
            CatalogError: the server that would keep it cannot be reached.
            ConfigError, MissingDependency: as for ``backend``.
        """
        if "://" in self.db:
            return self.backend().exists()
        return Path(self.database).exists()  # without SQLAlchemy, which takes long to import

    @property
    def decoding_limits(self) -> DecodingLimits:
        """What decoding images may take."""
        return DecodingLimits(
            self.decode_memory, self.decode_seconds, self.max_file_bytes, self.decode_processes
        )

    @property
    def network_options(self) -> dict[str, Any]:
        """Options of ``stylesearch.extractors.load_extractor`` for a network."""
        return {"weights": self.weights or None, "engine": self.engine, "precision": self.precision}

    def replace(self, **changes: Any) -> Settings:
        """A copy with ``changes`` made; names with the value None are left as they are."""
        return dataclasses.replace(
            self, **{name: value for name, value in changes.items() if value is not None}
        )


_RULES: Final = SettingRules(
    kinds_of(Settings),
    least={
        "max_pixels": 256,
        "max_file_bytes": 1024,
        "decode_memory": 50_000_000,
        "decode_seconds": 0.1,
        "batch_size": 1,
        "workers": 0,
        "lock_timeout": 0,
        "db_pool_size": 1,
        "db_pool_overflow": 0,
        "db_pool_recycle": 0,
        "db_connect_timeout": 1,
    },
    choices={"artifacts": ("", "home", "catalog"), "candidates": ("local", "faiss", "pgvector")},
    tables=tuple(sorted(TABLES)),
)


def load_settings(
    flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Loads the settings of a workspace from flags, environment, file and defaults.

    Args:
        flags: settings by name; None counts as not given.
        environment: stands in for ``os.environ``.

    Raises:
        ConfigError: an unknown name, or a value of the wrong type or out of range; the message says where
            it came from.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    from_environment = {
        field.name: environment[variable]
        for field in dataclasses.fields(Settings)
        if (variable := ENVIRONMENT_PREFIX + field.name.upper()) in environment
        and environment[variable] != ""
    }
    home = expand_user(given.get("home") or from_environment.get("home") or DEFAULT_HOME)
    file = str(home / CONFIG_FILE)
    values: dict[str, Any] = {}
    for origin, source in (
        (file, read_settings(home)),
        ("the environment", from_environment),
        ("the call", given),
    ):
        for name, value in source.items():
            if not (name in TABLES and isinstance(value, dict)):
                values[name] = _convert(name, value, origin)
        if origin == file and "extractor" in values:
            values["extractor"] = absolute_spec(values["extractor"], home)
    return Settings(**{**values, "home": home})


def read_settings(home: Path) -> dict[str, Any]:
    """Reads the settings of the settings file by name; empty where there is no file.

    Raises:
        ConfigError: it cannot be read.
    """
    return _parse(home / CONFIG_FILE, _read_text(home / CONFIG_FILE))


def read_table(path: Path, name: str) -> dict[str, Any]:
    """Reads a table of a settings file, ``[name]``; empty where there is no such table, or no file.

    Raises:
        ConfigError: the file cannot be read, or has something else under that name.
    """
    table = _parse(path, _read_text(path)).get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {name} is a table, [{name}]. Received: {table!r}")
    return table


def change_settings(home: Path, changes: Mapping[str, str | int | float | None]) -> None:
    """Changes settings in the file, atomically; its other lines, and comments, stay as they are.

    So do a byte-order mark, and the line ends of Windows.

    Args:
        home: the workspace folder.
        changes: values by name; None removes a setting.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = home / CONFIG_FILE
    text = _read_text(path)
    _parse(path, text)
    try:
        document = tomlkit.parse(text)
        for name, value in changes.items():
            if value is None:
                document.pop(name, None)
            else:
                document[name] = value
        changed = tomlkit.dumps(document)
    except (tomlkit.exceptions.TOMLKitError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path} cannot be changed: {error}",
            hint="write " + ", ".join(f"{name} = {value!r}" for name, value in changes.items()) + " yourself",
        ) from error
    written = path.read_bytes() if path.exists() else b""
    mark = codecs.BOM_UTF8 if written.startswith(codecs.BOM_UTF8) else b""
    line_end = "\r\n" if b"\r\n" in written else "\n"
    with atomic_file(path) as file:
        file.write(mark + changed.replace("\n", line_end).encode())


def _convert_flag(name: str, value: Any, origin: str) -> bool:
    text = str(value).strip().lower() if isinstance(value, bool | str) else ""
    if text not in ("true", "false"):
        raise ConfigError(f"{origin}: {name} wants true or false. Received: {value!r}")
    return text == "true"


def _convert_list(name: str, value: Any, origin: str) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ConfigError(f"{origin}: {name} wants a list of texts. Received: {value!r}")
    return tuple(stripped for part in parts if (stripped := part.strip()))


def _convert(name: str, value: Any, origin: str) -> Any:
    if issubclass(_RULES.kind_of(name, origin), Path):
        if not isinstance(value, str | Path) or "\0" in str(value):
            raise ConfigError(f"{origin}: {name} wants a path. Received: {value!r}")
        return Path(value)
    return _RULES.convert(name, value, origin)


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="save it as UTF-8") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
