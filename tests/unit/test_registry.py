import pytest

from stylesearch.errors import MissingDependency, UnknownName
from stylesearch.registry import Entry, Registry

TABLE = Registry(
    "shape",
    {
        "square": Entry("math:sqrt", "four corners"),
        "circle": Entry("no_such_library.round:pi", "none", install="no-such-library"),
        "broken": Entry("stylesearch.no_such_module:x", "a mistake of ours"),
    },
)


def test_names_are_sorted_and_lead_to_attributes() -> None:
    assert list(TABLE) == ["broken", "circle", "square"]
    assert TABLE.load("square")(16) == 4


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'square'") as caught:
        TABLE.load("sqare")
    assert "circle" in caught.value.hint
    with pytest.raises(UnknownName, match=r"no shape is called 'zzz'$"):
        TABLE.load("zzz")
    assert isinstance(caught.value, LookupError)


def test_a_missing_library_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingDependency, match="no_such_library") as caught:
        TABLE.load("circle")
    assert caught.value.hint == "pip install no-such-library"


def test_a_mistake_of_ours_is_not_blamed_on_the_user() -> None:
    with pytest.raises(ModuleNotFoundError):
        TABLE.load("broken")
