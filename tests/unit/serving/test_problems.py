import json
from http import HTTPStatus

import pytest

from stylesearch import errors
from stylesearch.serving.api.responses import ProblemModel
from stylesearch.serving.problems import (
    OwnSpaceUnusable,
    Problem,
    QueueFull,
    SearchTimeout,
    ServiceStopping,
    problem_of,
    problem_response,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ImageTooLarge("x"), 413),
        (errors.NotAnImage("x"), 415),
        (errors.ImageTooSmall("x"), 422),
        (errors.ImageError("x"), 422),
        (errors.UnknownName("x"), 422),
        (errors.ConfigError("x"), 422),
        (errors.NotInCatalog("x"), 404),
        (errors.CatalogLocked("x"), 503),
        (errors.CatalogError("x"), 503),
        (errors.IndexDamaged("x"), 503),
        (errors.ExtractorError("x"), 500),
        (errors.SpaceError("x"), 500),
        (QueueFull("x", retry_after=3), 503),
        (ServiceStopping("x", retry_after=3), 503),
        (SearchTimeout("x", retry_after=3), 504),
        (OwnSpaceUnusable("x"), 503),
        (ZeroDivisionError("x"), 500),
        (Problem(418, "x"), 418),
    ],
)
def test_every_error_has_its_status(error: Exception, status: int) -> None:
    assert problem_of(error).status == status


def test_the_library_speaks_for_itself() -> None:
    problem = problem_of(errors.NotAnImage("the picture is a PDF document", hint="send a JPEG"))
    assert (problem.detail, problem.hint) == ("the picture is a PDF document", "send a JPEG")


def test_other_errors_say_nothing() -> None:
    for error in (
        ValueError("secret"),
        errors.ExtractorError("secret", hint="secret"),
        errors.WeightsNotFound("secret"),
        errors.ImageError("/srv/shop secret"),
    ):
        problem = problem_of(error, ["/srv/shop"])
        assert problem.status == 500
        assert "secret" not in f"{problem.detail} {problem.hint}"
        assert problem.detail.startswith("something went wrong here")


def test_paths_of_the_server_are_kept_from_clients() -> None:
    for error, status in (
        (errors.CatalogError("no space", hint="free some on /srv/shop"), 503),
        (errors.NotInCatalog("the catalog has no product '/srv/shop/catalog.db'"), 404),
        (errors.NotInCatalog("no product", hint="see /srv/shop"), 404),
    ):
        problem = problem_of(error, ["/srv/shop"])
        assert problem.status == status
        assert "/srv" not in f"{problem.detail} {problem.hint}"
        assert ("Retry-After" in problem.headers) is (status == 503)
        assert ("workspace cannot be used" in problem.detail) is (status == 503)
    locked = problem_of(errors.CatalogLocked("process 5 on host is writing to /srv/shop/catalog.db"))
    assert locked.detail.startswith("the catalog is being written to")
    assert "process 5" not in locked.detail


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (QueueFull("x", retry_after=3), "busy"),
        (Problem(503, "too many uploads at once", reason="bytes_held"), "busy"),
        (Problem(503, "x"), "busy"),
        (ServiceStopping("x", retry_after=3), "stopping"),
        (errors.CatalogLocked("x"), "locked"),
        (errors.CatalogError("x"), "unusable"),
        (errors.CatalogError("/srv/shop is damaged"), "unusable"),
        (errors.IndexDamaged("x"), "unusable"),
        (OwnSpaceUnusable("x"), "unusable"),
    ],
)
def test_503_says_for_programs_why(error: Exception, reason: str) -> None:
    told = problem_of(error, ["/srv/shop"]).as_dict("id-1")
    assert (told["status"], told["reason"]) == (503, reason)
    ProblemModel.model_validate(told, strict=True)


def test_no_other_status_has_a_reason() -> None:
    for error in (
        errors.NotInCatalog("x"),
        errors.ImageTooLarge("x"),
        SearchTimeout("x", retry_after=3),
        Problem(429, "x", reason="rate"),
        ZeroDivisionError(),
    ):
        assert "reason" not in problem_of(error).as_dict("id-1")


def test_what_is_wrong_with_the_settings_is_for_the_log_alone() -> None:
    problem = problem_of(OwnSpaceUnusable("no model 'gone' in /srv/shop", hint="see /srv"), ["/srv/shop"])
    assert (problem.status, problem.reason) == (503, "unusable")
    assert "settings of this server" in problem.detail
    assert "gone" not in f"{problem.detail} {problem.hint}"
    assert "/srv" not in f"{problem.detail} {problem.hint}"
    assert int(problem.headers["Retry-After"]) >= 1


def test_503_says_when_to_come_back() -> None:
    assert problem_of(QueueFull("x", retry_after=2.2)).headers["Retry-After"] == "3"
    assert int(problem_of(errors.CatalogLocked("x")).headers["Retry-After"]) >= 1


def test_the_answer_is_problem_json_whatever_the_text() -> None:
    response = problem_response(Problem(422, "half a pair: \ud800", hint="no"), "id-1")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert json.loads(bytes(response.body)) == {
        "type": "about:blank",
        "title": HTTPStatus(422).phrase,
        "status": 422,
        "detail": "half a pair: \ud800",
        "hint": "no",
        "request_id": "id-1",
    }
    assert b"hint" not in bytes(problem_response(Problem(404, "x"), "id-1").body)
