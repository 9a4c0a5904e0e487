"""The route of Shopify's webhooks."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, Final

import anyio.to_thread
from fastapi import APIRouter, Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.serving.api.json_body import parse_json
from stylesearch.serving.api.openapi import problems
from stylesearch.serving.api.requests import JSON, receive_all
from stylesearch.serving.api.responses import WebhookAnswer, json_response
from stylesearch.serving.problems import Problem
from stylesearch.serving.products.shopify_product import read_id, read_product
from stylesearch.serving.products.shopify_sync import DELETE, TOPICS, ShopifySync
from stylesearch.serving.products.webhook_queue import Event, QueueIsFull, read_moment
from stylesearch.serving.service import Service, service_of

__all__ = ["check_signature", "router"]

MAX_VALUES: Final = 300_000
"""Of a body: a product of Shopify may have 2048 variants, each with thirty values."""

RETRY_SECONDS: Final = 60

router = APIRouter(tags=["products"])
UsedService = Annotated[Service, Depends(service_of)]
HeaderText = Annotated[str, Header(max_length=1000)]


def check_signature(body: bytes, given: str, secrets: Sequence[str]) -> None:
    """Checks that a body was signed with one of the secrets: HMAC-SHA256 in base64.

    The time that it takes reveals nothing about the right signature.

    Raises:
        Problem: 401, there is no signature, or a wrong one.
    """
    try:
        signature = base64.b64decode(given.encode("latin-1", "replace"), validate=True)
    except binascii.Error:
        signature = b""
    matches = [
        hmac.compare_digest(hmac.digest(secret.encode(), body, hashlib.sha256), signature)
        for secret in secrets
    ]
    if not any(matches):
        raise Problem(401, "the signature in X-Shopify-Hmac-Sha256 is missing or wrong", reason="signature")


@router.post(
    "/v1/webhooks/shopify",
    operation_id="shopify_webhook",
    summary="Receive a webhook of Shopify",
    response_model=WebhookAnswer,
    responses=problems(400, 401, 403, 408, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"type": "object", "description": "a product, as Shopify sends it"}}
            },
        }
    },
)
async def shopify_webhook(
    request: Request,
    service: UsedService,
    x_shopify_topic: HeaderText = "",
    x_shopify_hmac_sha256: HeaderText = "",
    x_shopify_event_id: HeaderText = "",
    x_shopify_webhook_id: HeaderText = "",
    x_shopify_triggered_at: HeaderText = "",
) -> Response:
    """For `products/create`, `products/update` and `products/delete`; others are answered and ignored.

    The answer comes as soon as the event is kept on the disk; the product is changed in the background.
    """
    sync = service.shopify
    if sync is None:
        raise Problem(
            403,
            "webhooks are off: this server has no secret of Shopify",
            hint="whoever runs it can set STYLESEARCH_SERVE_SHOPIFY_SECRETS",
            reason="no_secret",
        )
    body = await receive_all(request, service.settings.timeout)
    check_signature(body, x_shopify_hmac_sha256, service.settings.shopify_secrets)
    if x_shopify_topic not in TOPICS:
        service.metrics.webhooks.labels("other", "ignored").inc()
        return json_response({"status": "ignored"})
    event_id = x_shopify_event_id or x_shopify_webhook_id
    if event_id and sync.has_come(x_shopify_topic, event_id):
        status = "duplicate"
    else:
        keep = functools.partial(_keep, sync, body, x_shopify_topic, x_shopify_triggered_at)
        status = "queued" if await anyio.to_thread.run_sync(keep) else "stale"
        sync.note_came(x_shopify_topic, event_id)
    service.metrics.webhooks.labels(x_shopify_topic, status).inc()
    return json_response({"status": status})


def _keep(sync: ShopifySync, body: bytes, topic: str, triggered_at: str) -> bool:
    payload = parse_json(body, max_values=MAX_VALUES)
    product_id = read_id(payload)
    if topic != DELETE:
        read_product(payload)  # refused now, while the sender is told
    moment = read_moment(payload.get("updated_at"), triggered_at)
    try:
        is_new = sync.queue.put(Event(product_id, topic, moment, payload))
    except QueueIsFull as error:
        raise Problem(
            503,
            "too many webhooks are waiting",
            hint="send it again later",
            headers={"Retry-After": str(RETRY_SECONDS)},
            reason="webhooks",
        ) from error
    sync.wake()
    return is_new
