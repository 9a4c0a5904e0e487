import pytest

from stylesearch.errors import ConfigError, UnknownName
from stylesearch.evaluation.protocol import MethodSpec, parse_method, parse_methods


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("resnet50", MethodSpec("resnet50", "raw")),
        ("resnet50/raw", MethodSpec("resnet50", "raw")),
        (" resnet50@320/whitened ", MethodSpec("resnet50@320", "whitened")),
        ("resnet50@320+colors/whitened", MethodSpec("resnet50@320+colors", "whitened")),
        ("own/net.keras+colors", MethodSpec("own/net.keras+colors", "raw")),
        ("models/own.keras", MethodSpec("models/own.keras", "raw")),
        ("models/own.keras/whitened", MethodSpec("models/own.keras", "whitened")),
    ],
)
def test_a_method_is_an_extractor_and_a_space(text, spec):
    assert parse_method(text) == spec
    assert parse_method(spec.label) == spec


def test_a_slip_in_the_space_is_told_from_an_extractor():
    with pytest.raises(UnknownName, match="whitened"):
        parse_method("resnet50/whitend")


@pytest.mark.parametrize("text", ["", "/whitened"])
def test_a_method_without_an_extractor_is_refused(text):
    with pytest.raises(ConfigError, match="EXTRACTOR"):
        parse_method(text)


def test_a_method_given_twice_counts_once():
    assert [one.label for one in parse_methods(["a/raw", "b", "a"])] == ["a", "b"]
    with pytest.raises(ConfigError, match="no method"):
        parse_methods([])


def test_a_trained_model_is_a_whole_method_or_the_space_of_one():
    assert parse_method("siamese:a") == MethodSpec("", "siamese:a")
    assert parse_method("models/own.keras/siamese:a") == MethodSpec("models/own.keras", "siamese:a")
    whole, named = parse_methods(["siamese:a", "lite/siamese:a", "siamese:a"], lambda space: f"of {space}")
    assert (whole.extractor, whole.label) == ("of siamese:a", "siamese:a")
    assert (named.extractor, named.label) == ("lite", "lite/siamese:a")
    assert [parse_method(one.label).space for one in (whole, named)] == ["siamese:a", "siamese:a"]
    with pytest.raises(ConfigError, match="model's name"):
        parse_method("siamese:A b")
