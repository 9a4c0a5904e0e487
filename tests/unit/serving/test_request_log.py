import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from stylesearch.errors import CatalogError
from stylesearch.serving.metrics import ServiceMetrics
from stylesearch.serving.middleware.error_handler import ErrorHandler
from stylesearch.serving.middleware.hosts import ClientAddresses
from stylesearch.serving.middleware.request_log import RequestLog
from tests.unit.serving.asgi import Sent, call, scope_of


def answering(
    status: int = 200, body: bytes = b"{}", error: Exception | None = None, late: bool = False
) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if error and not late:
            raise error
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"x-method", scope["method"].encode())],
            }
        )
        if error:
            raise error
        await send({"type": "http.response.body", "body": body})

    return app


def send(app: Any, metrics: ServiceMetrics | None = None, **scope: Any) -> Sent:
    metrics = metrics or ServiceMetrics()
    envelope = RequestLog(ErrorHandler(app, metrics, ["/srv/shop"]), metrics, ClientAddresses())
    return asyncio.run(call(envelope, scope_of(**scope)))


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = [record for record in caplog.records if record.message == "request"]
    fields: dict[str, Any] = record.fields  # type: ignore[attr-defined]
    return fields


def test_every_answer_is_guarded_and_numbered() -> None:
    headers = send(answering()).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(
        policy
    )
    assert not any("unsafe" in rule or "*" in rule or "http:" in rule for rule in policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert len(headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("shop-4711.a_B", True), ("", False), ("a b", False), ("a" * 65, False), ("a\n", False)],
)
def test_a_decent_request_id_is_taken_over(given: str, is_kept: bool) -> None:
    answered = send(answering(), headers=[("X-Request-ID", given)]).headers["x-request-id"]
    assert (answered == given) is is_kept


def test_head_is_get_without_a_body() -> None:
    sent = send(answering(body=b"12345"), method="HEAD")
    assert (sent.headers["x-method"], sent.body) == ("GET", b"")


def test_what_nobody_expected_is_a_500_without_a_word_of_it(caplog: pytest.LogCaptureFixture) -> None:
    metrics = ServiceMetrics()
    sent = send(answering(error=RuntimeError("secret /srv/shop")), metrics, path="/v1/search", method="POST")
    assert sent.status == 500
    assert sent.headers["content-type"] == "application/problem+json"
    assert b"secret" not in sent.body
    assert b"Traceback" not in sent.body
    problem = json.loads(sent.body)
    assert problem["request_id"] == sent.headers["x-request-id"]
    (failure,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert failure.exc_info is not None
    assert (
        'stylesearch_requests_total{method="POST",route="/v1/search",status="500"} 1.0'
        in metrics.text().decode()
    )


def test_the_log_has_what_the_client_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    sent = send(answering(error=CatalogError("the disk failed under /srv/shop/catalog.db")))
    assert sent.status == 503
    assert b"/srv" not in sent.body
    assert "/srv/shop/catalog.db" in caplog.text


def test_an_answer_that_breaks_off_is_seen_to_break_off() -> None:
    with pytest.raises(RuntimeError, match="late"):
        send(answering(error=RuntimeError("late"), late=True))


def test_who_hangs_up_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert send(answering(error=ClientDisconnect())).status == 0
    assert logged(caplog)["status"] == 499
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_log_line_has_no_query_no_key_and_no_file_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    scope = scope_of(
        "/v1/products/x" + "y" * 500,
        method="PUT",
        headers=[
            ("Authorization", "Bearer secret-key"),
            ("Content-Disposition", "attachment; filename=me.jpg"),
        ],
    )
    scope["query_string"] = b"token=secret-token"
    envelope = RequestLog(answering(201, b"123"), ServiceMetrics(), ClientAddresses())
    asyncio.run(call(envelope, scope))
    fields = logged(caplog)
    assert (fields["method"], fields["route"], fields["status"], fields["bytes"]) == (
        "PUT",
        "/v1/products/{id}",
        201,
        3,
    )
    assert fields["client"] == "192.0.2.1"
    assert len(fields["path"]) == 200
    assert "secret" not in str(fields) + caplog.text
    assert "me.jpg" not in str(fields) + caplog.text


def test_what_a_monitor_asks_is_no_news_while_all_is_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    send(answering(200), path="/ready")
    assert not caplog.records
    send(answering(503), path="/ready")
    assert logged(caplog)["status"] == 503


def test_unknown_methods_and_paths_make_no_new_series() -> None:
    metrics = ServiceMetrics()
    for number in range(50):
        send(answering(404), metrics, path=f"/nothing/{number}", method=f"M{number}")
    assert (
        'stylesearch_requests_total{method="other",route="other",status="404"} 50.0'
        in metrics.text().decode()
    )
