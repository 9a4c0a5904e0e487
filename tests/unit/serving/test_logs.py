import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from stylesearch.serving.logs import LOGGERS, configure_logging, request_id


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What a worker sets up for its process ends with the test."""
    names = [*LOGGERS, "uvicorn.error", "uvicorn.access", "uvicorn.asgi"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers, one.propagate, one.level, one.disabled) for one in loggers]
    yield
    logging.captureWarnings(False)
    for logger, (handlers, propagate, level, disabled) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
        logger.setLevel(level)


def test_each_record_is_one_line_of_json_with_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    token = request_id.set("id-1")
    logging.getLogger("stylesearch.x").info("two\nlines %s", "ü", extra={"fields": {"status": 200}})
    request_id.reset(token)
    try:
        raise RuntimeError("why")
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"] == "two\nlines ü"
    assert (first["request_id"], first["status"], first["level"], first["logger"]) == (
        "id-1",
        200,
        "info",
        "stylesearch.x",
    )
    assert "RuntimeError: why" in second["exception"]
    assert "request_id" not in second


def test_warnings_are_logged_and_uvicorn_does_not_repeat_requests(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("watch out", stacklevel=1)
    logging.getLogger("uvicorn.access").info("GET /?token=secret")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "watch out", "without the place in the code"


def test_text_has_no_control_characters_from_clients(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    logging.getLogger("stylesearch").info("request", extra={"fields": {"path": "/\x1b[31m\nFAKE line"}})
    (line,) = capsys.readouterr().err.splitlines()
    assert "\x1b" not in line
    assert "path=/" in line
