"""Whether the request or the settings named what cannot be searched in."""

from __future__ import annotations

import pytest

from stylesearch.errors import CatalogError, ConfigError, SpaceError, StyleSearchError, UnknownName
from stylesearch.serving.own_space import OwnSpaceUnusable, blaming_the_settings


@pytest.mark.parametrize(
    ("named", "error", "raised"),
    [
        ({}, UnknownName("no model"), OwnSpaceUnusable),
        ({}, SpaceError("damaged"), OwnSpaceUnusable),
        ({}, ConfigError("other features"), OwnSpaceUnusable),
        ({"metric": "l1"}, UnknownName("no model"), OwnSpaceUnusable),
        ({"metric": "l1"}, ConfigError("it was trained for cosine"), ConfigError),
        ({"space": "siamese:x"}, UnknownName("no model"), UnknownName),
        ({"space": "siamese:x"}, SpaceError("damaged"), SpaceError),
        ({"space": "raw"}, ConfigError("no such metric"), ConfigError),
        ({}, CatalogError("damaged"), CatalogError),
    ],
)
def test_who_named_it_is_to_blame(
    named: dict[str, str], error: StyleSearchError, raised: type[Exception]
) -> None:
    with pytest.raises(StyleSearchError) as caught, blaming_the_settings(**named):
        raise error
    assert type(caught.value) is raised
    assert caught.value.message == error.message, "the log is to have it"
