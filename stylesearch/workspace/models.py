"""The trained models of a workspace: ``shop.models`` lists, reads and removes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from stylesearch.artifacts.base import MODEL
from stylesearch.settings import Settings, load_settings

if TYPE_CHECKING:
    from stylesearch.models.card import ModelCard
    from stylesearch.workspace.resources import Resources

    ModelCards: TypeAlias = list[ModelCard]  # since `list` is a method in the class below

__all__ = ["Models"]


class Models:
    """The trained models of a workspace; each is the space ``siamese:NAME``. Iterates over their cards.

    Args:
        resources: resources of the workspace.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def __iter__(self) -> Iterator[ModelCard]:
        return iter(self.list())

    def list(self) -> ModelCards:
        """Lists the cards of the models by name; one that cannot be read is left out, and logged."""
        from stylesearch.models import store

        self._resources.bring_models()
        return store.list_models(self._resources.settings.home)

    def problems(self) -> dict[str, str]:
        """Reads all models whole; names those that cannot be used, with the reason."""
        from stylesearch.models import store

        damaged = self._resources.bring_models()
        return store.examine_models(self._resources.settings.home, whole=True)[1] | damaged

    def get(self, name: str) -> ModelCard:
        """Reads the card of a model: its training, weights and scores.

        Raises:
            UnknownName: there is no model of that name.
            SpaceError: it is damaged.
        """
        from stylesearch.models import store

        folder = store.folder_of(self._resources.settings.home, name)
        self._resources.artifacts.get(MODEL, name)
        return store.read_card(folder)

    def share(self, name: str) -> None:
        """Puts a model that lies in the workspace folder alone into the catalog, for all machines on it.

        Training does that by itself; this is for models of before.

        Raises:
            UnknownName: there is no model of that name.
            SpaceError: it is damaged.
            ConfigError: the settings keep models in the workspace folder.
        """
        from stylesearch.errors import ConfigError
        from stylesearch.models import store

        settings = self._resources.settings
        if not settings.shares_artifacts:
            raise ConfigError(
                "the settings keep trained models in the workspace folder, for this machine alone",
                hint='artifacts = "catalog" in config.toml shares them',
            )
        self._resources.bring_models()
        _ = self._resources.catalog()  # there has to be one
        store.share_model(settings.home, name, self._resources.artifacts)

    def remove(self, name: str) -> dict[str, str | None]:
        """Removes a model, its indexes, and an unfinished training of that name.

        Where ``config.toml`` names it as the workspace's space, or a network in its folder as the extractor,
        these lines are removed too, and the network that was fine-tuned takes its place.

        Returns:
            the changes in ``config.toml``: new values by the setting's name, None for one that was removed.

        Raises:
            UnknownName: there is none.
            ConfigError: another model takes features of its network, or it is being trained.
            CatalogLocked: another process is writing.
            IndexesLocked: another process is building indexes.
        """
        from stylesearch.index.build_lock import building
        from stylesearch.models import store
        from stylesearch.models.networks import fingerprints_of, forget_features, networks_of
        from stylesearch.settings import change_settings

        settings, writer = self._resources.settings, None
        self._resources.bring_models()
        with contextlib.ExitStack() as held:
            if store.folder_of(settings.home, name).is_dir():
                held.enter_context(store.training_lock(settings.home, name, settings.lock_timeout))
            if settings.has_catalog:
                catalog = self._resources.catalog()
                writer = held.enter_context(catalog.writing(timeout=settings.lock_timeout))
                # So that no process builds indexes of it meanwhile.
                held.enter_context(building(settings.home / "indexes", settings.lock_timeout))
            store.check_removable(settings.home, name)
            networks = fingerprints_of(networks_of(settings.home, name))
            changes = self._settings_without(name)
            # In this order an interruption leaves settings that work, and a model that can be removed again.
            if changes:
                change_settings(settings.home, changes)
            store.deactivate(settings.home, name, self._resources.artifacts)
            if writer is not None:
                forget_features(writer, settings.home, networks)
            store.remove_model(settings.home, name, self._resources.artifacts)
        return changes

    def _settings_without(self, name: str) -> dict[str, str | None]:
        """Finds the changes in ``config.toml`` before a model is removed."""
        from stylesearch.errors import SpaceError, UnknownName
        from stylesearch.models import store
        from stylesearch.models.card import space_of

        home = self._resources.settings.home
        original = None
        with contextlib.suppress(UnknownName, SpaceError):  # unfinished and damaged ones too
            original = self.get(name).options.get("finetuned_from")
        in_file = load_settings({"home": home}, {})
        changes: dict[str, str | None] = {}
        if in_file.space == space_of(name):
            changes["space"] = None
        if store.is_network_of(home, name, in_file.extractor):
            is_gone = original is None or store.is_network_of(home, name, str(original))
            changes["extractor"] = None if is_gone or original == Settings().extractor else str(original)
        return changes
