import ast
import re
from pathlib import Path

import stylesearch.errors as errors


def test_every_error_is_public_and_drawn_in_the_tree() -> None:
    defined = {
        node.name
        for node in ast.parse(Path(errors.__file__).read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    drawn = set(re.findall(r"^[\s│├└─]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)) & defined
    assert defined == drawn == set(errors.__all__)
    assert errors.__all__ == sorted(errors.__all__)


def test_the_tree_is_drawn_as_it_is() -> None:
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"[\s│├└─]+(\w+)\s+\((\w+)\)", line):
            name, built_in = match.groups()
            assert issubclass(getattr(errors, name), __builtins__[built_in]), line


def test_a_message_and_a_hint() -> None:
    error = errors.WeightsNotFound("no weights", hint="put them there")
    assert str(error) == "no weights"
    assert error.hint == "put them there"
    assert isinstance(error, FileNotFoundError)
