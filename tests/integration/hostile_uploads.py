"""Requests that are made to hurt a server: as bytes on the wire, with the statuses that may answer them."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
from collections.abc import Iterator

from tests.integration import hostile_images
from tests.integration.hostile_wire import BOUNDARY, Hostile, as_json, field, form, image, part, raw
from tests.integration.tiny_shop import COLORS, KEY, draw, jpeg

__all__ = ["IMAGE", "MAX_BYTES", "NAMES", "SHOPIFY_SECRET", "corpus"]

SHOPIFY_SECRET = "shpss_0123456789abcdef"

MAX_BYTES = 3_000_000
"""What the server that is attacked takes."""

IMAGE = jpeg(draw(COLORS["dress"]["red"], seed=31))
ENCODED = base64.b64encode(IMAGE).decode()


def corpus() -> list[Hostile]:
    """All of them."""
    requests = (_images, _names, _forms, _parameters, _json, _http, _products, _changes, _webhooks, _paths)
    return [one for some in requests for one in some()]


def _images() -> Iterator[Hostile]:
    makers = (
        hostile_images.bombs,
        hostile_images.of_no_size,
        hostile_images.cut_short,
        hostile_images.damaged,
        hostile_images.no_images,
    )
    for maker in makers:
        for name, (data, statuses) in maker().items():
            yield raw(name, statuses, form(image(data)))


NAMES = {
    "up and away": "../../../../../../tmp/hostile-up.jpg",
    "absolute": "/tmp/hostile-absolute.jpg",
    "of Windows": "C:\\Windows\\hostile-windows.jpg",
    "of a share": "\\\\127.0.0.1\\share\\hostile-share.jpg",
    "with a NUL": "hostile-nul.jpg\0.txt",
    "of a device": "/dev/stdin",
    "with a shell in it": "hostile;touch hostile-shell;$(touch hostile-shell)`touch hostile-shell`.jpg",
    "of a format": "hostile%n%s{0.__class__}.jpg",
    "right to left": "hostile\u202egpj.exe",
    "with a header": "hostile\\r\\nX-Evil: 1.jpg",
    "of a configuration": "config.toml",
    "of the catalog": "catalog.db",
}


def _names() -> Iterator[Hostile]:
    for name, file in NAMES.items():
        yield raw(f"a file name {name}", 415, form(image(b"hostile", file)))
    yield raw("a file name of 5 kB", 415, form(image(b"hostile", "h" * 5000)))
    yield raw("a file name of 100 kB", 400, form(image(b"hostile", "h" * 100_000)))
    encoded = part("name=\"image\"; filename*=UTF-8''..%2F..%2Fhostile-star.jpg", b"hostile")
    yield raw("an encoded file name", 415, form(encoded))


def _forms() -> Iterator[Hostile]:
    many = b"".join(field(f"field{number}", "x") for number in range(5000))
    yield raw("five thousand parts", 413, form(image(IMAGE), many))
    yield raw("five thousand pictures", 413, form(image(b"x") * 5000))
    yield raw("two pictures", 422, form(image(IMAGE), image(IMAGE)))
    yield raw("no picture", 422, form(field("k", "3")))
    yield raw("a picture that is a text", 422, form(field("image", IMAGE)))
    yield raw("no boundary named", 400, form(image(IMAGE)), kind="multipart/form-data")
    yield raw("another boundary", 400, form(image(IMAGE)), kind="multipart/form-data; boundary=other")
    yield raw(
        "a boundary of 5 kB", 400, form(image(IMAGE)), kind=f"multipart/form-data; boundary={'b' * 5000}"
    )
    yield raw("an empty boundary", 400, form(image(IMAGE)), kind='multipart/form-data; boundary=""')
    yield raw("no last boundary", 400, image(IMAGE))
    yield raw("nothing but a boundary", 400, b"--hostile")
    yield raw("nearly boundaries only", 400, b"\r\n--hostil" * 250_000)
    yield raw("new lines only", 400, b"\r\n" * 1_000_000)
    yield raw("an empty body", 400, b"")
    yield raw("a part without a name", 400, form(part('filename="x.jpg"', IMAGE)))
    yield raw("a part without headers", 400, f"--{BOUNDARY}\r\n\r\n".encode() + IMAGE + form())
    yield raw("headers of a part without end", 400, form(part("x" * 100_000, IMAGE)))
    yield raw("ten thousand headers of a part", 400, form(part('name="image"', b"", *["X: y"] * 10_000)))
    in_base64 = part('name="image"; filename="x"', ENCODED.encode(), "Content-Transfer-Encoding: base64")
    yield raw("a part in base64", 400, form(in_base64))
    yield raw(
        "a name of a part that is not UTF-8", 400, form(image(IMAGE)).replace(b'"image"', b'"\xff\xfe"')
    )
    yield raw("an unknown field", 422, form(image(IMAGE), field("path", "/etc/passwd")))
    yield raw("a field called like a method", 422, form(image(IMAGE), field("__class__", "x")))
    yield raw("a field that is not UTF-8", 422, form(image(IMAGE), field("category", b"\xff\xfe")))


def _parameters() -> Iterator[Hostile]:
    wrong = {
        "k": ["0", "-1", "101", "9" * 400, "NaN", "1e3", "٣", "3 ", ""],
        "box": [
            "nan,nan,nan,nan",
            "inf,0,inf,0",
            "0,0,0,0",
            "50,50,10,10",
            "500,500,900,900",
            "1,2,3",
            ",,,",
            "-5,-5,0,0",
            "0,0,1e9,1e9",
            "0,0," + "9" * 400 + ",5",
        ],
        "category": ["", "a\0b", "x" * 60_000],
        "space": ["../../catalog", "siamese:../../x", "raw\0", "x" * 60_000],
        "metric": ["__class__", "os.system", "cosine "],
    }
    for name, values in wrong.items():
        for value in values:
            shown = value[:20].encode("unicode_escape").decode()
            yield raw(f"{name} is {shown!r}", 422, form(image(IMAGE), field(name, value)))
    yield raw("an unknown category", 404, form(image(IMAGE), field("category", "' OR 1=1 --")))
    yield raw("k twice", 422, form(image(IMAGE), field("k", "3"), field("k", "4")))
    yield raw("a field of 1 MB", 422, form(image(IMAGE), field("category", "x" * 1_000_000)))


def _json() -> Iterator[Hostile]:
    yield as_json("lists in lists", 400, b'{"image":' + b"[" * 5000)
    yield as_json("very many lists in lists", (400, 413), b'{"image":' + b"[" * 200_000)
    yield as_json("objects in objects", 400, b'{"image":' + b'{"a":' * 2000)
    yield as_json("very many objects in objects", (400, 413), b'{"image":' + b'{"a":' * 200_000)
    yield as_json("no JSON", 400, b"{'image': 1}")
    yield as_json("no object", 422, [ENCODED])
    yield as_json("not a number", 400, b'{"image": "x", "k": NaN}')
    yield as_json("infinity", 400, b'{"image": "x", "box": [Infinity, 0, 1, 1]}')
    yield as_json("a number too large for any", 400, b'{"image": "x", "k": ' + b"9" * 5000 + b"}")
    yield as_json("an exponent too large", 400, b'{"image": "x", "k": 1e999999}')
    yield as_json("not UTF-8", 400, b'{"image": "\xff\xfe"}')
    yield as_json("UTF-16", 400, json.dumps({"image": ENCODED}).encode("utf-16"))
    yield as_json(
        "half a surrogate pair", (404, 422), b'{"image": "%s", "category": "\\ud800"}' % ENCODED.encode()
    )
    yield as_json("no base64", 422, {"image": "###"})
    yield as_json("base64 cut short", 422, {"image": ENCODED[:-3]})
    yield as_json("base64 of no picture", 415, {"image": base64.b64encode(b"hostile").decode()})
    yield as_json("a data: URL", 422, {"image": f"data:image/jpeg;base64,{ENCODED}"})
    yield as_json("an address to fetch", 422, {"image": "http://169.254.169.254/latest/meta-data/"})
    yield as_json("a file to open", 422, {"image": "file:///etc/passwd"})
    yield as_json("a path to open", (415, 422), {"image": "/etc/passwd"})
    yield as_json("a picture that is a number", 422, {"image": 5})
    yield as_json("a picture that is nothing", 422, {"image": None})
    yield as_json("a picture that is an object", 422, {"image": {"url": "http://127.0.0.1/"}})
    yield as_json("too much base64", 413, {"image": "A" * (MAX_BYTES + 4)})
    yield as_json("k is a text", 422, {"image": ENCODED, "k": "3"})
    yield as_json("k is true", 422, {"image": ENCODED, "k": True})
    yield as_json("a box outside the photo", 422, {"image": ENCODED, "box": [5000, 5000, 6000, 6000]})
    yield as_json("a box of fractions", 422, {"image": ENCODED, "box": [0.5, 0, 9, 9]})
    yield as_json("a box of a million", (413, 422), {"image": ENCODED, "box": list(range(200_000))})
    yield as_json("an unknown key", 422, {"image": ENCODED, "__proto__": {"admin": True}})
    yield as_json("no pictures", 422, {"images": []}, to="POST /v1/search/batch")
    yield as_json("seventeen pictures", 422, {"images": [ENCODED] * 17}, to="POST /v1/search/batch")
    yield as_json(
        "thousands of pictures", (413, 422), {"images": ["AAAA"] * 99_999}, to="POST /v1/search/batch"
    )


def _http() -> Iterator[Hostile]:
    good = form(image(IMAGE))
    packed = gzip.compress(good)
    yield raw("a gzip body", 415, packed, headers=("Content-Encoding: gzip",))
    yield raw("a body packed twice", 415, gzip.compress(packed), headers=("Content-Encoding: gzip, gzip",))
    yield raw("an unknown packing", 415, good, headers=("Content-Encoding: bomb",))
    yield raw("no length and no body", (400, 411), b"", length=None)
    yield raw("less than was promised", 408, good, length=len(good) + 50)
    yield raw("more than was promised", 400, good, length=100, before_framework=True)
    yield raw("a promise of too much", 413, b"", length=MAX_BYTES + 1)
    yield raw("too much", 413, form(image(bytes(MAX_BYTES))))
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    chunked = ("Transfer-Encoding: chunked",)
    endless = chunk * (2 * MAX_BYTES // 65536)
    yield raw("chunks without end", 413, endless, length=None, headers=chunked)
    yield raw("chunks one byte long", 400, b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n", length=None, headers=chunked)
    yield raw(
        "XML with an entity", 415, b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>', kind="text/xml"
    )
    yield raw("no type", 415, good, kind=None)
    yield raw("two types", 415, good, headers=("Content-Type: application/json",))
    yield raw(
        "a form of addresses", 415, b"image=http://127.0.0.1/", kind="application/x-www-form-urlencoded"
    )
    yield raw("another multipart", 415, good, kind="multipart/mixed; boundary=hostile")
    yield raw("JSON in another charset", 415, b"{}", kind="application/json; charset=utf-7")
    yield raw("a type that is not ASCII", (400, 415), good, kind="multipart/förm-data; boundary=hostile")
    yield raw("a boundary that is not ASCII", 400, good, kind="multipart/form-data; boundary=hostilé")
    names = ("X-Request-ID: ü\u202e", "X-Forwarded-For: é, 127.0.0.1", "Accept: \u2603")
    yield raw("headers that are not ASCII", 415, form(image(b"hostile")), headers=names)
    yield raw("an id of the request with markup", 415, good, kind="x/y", headers=("X-Request-ID: <script>",))
    yield raw("a huge header", (400, 415, 431), b"", kind="x/y", headers=("X: " + "y" * 60_000,))
    early = {"length": None, "before_framework": True}
    yield raw("a negative length", 400, b"", headers=("Content-Length: -5",), **early)
    yield raw("two lengths", 400, good, headers=("Content-Length: 5", "Content-Length: 6"), **early)
    yield raw("a length that is no number", 400, good, headers=("Content-Length: 0x20",), **early)
    yield raw("a chunk of no length", 400, b"zz\r\n", headers=chunked, **early)
    yield raw("a header without a name", 400, b"", headers=(": x",), **early)
    yield Hostile("no HTTP", (400,), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), True)


def _products() -> Iterator[Hostile]:
    put = "PUT /v1/products/hostile"
    key = (f"Authorization: Bearer {KEY}",)
    product = {"title": "x", "category": "dress", "images": [ENCODED]}
    yield as_json("a product without a key", 401, product, to=put)
    yield as_json("a wrong key", 401, product, to=put, headers=(f"X-API-Key: {KEY}x",))
    yield as_json("a key of 50 kB", 401, product, to=put, headers=("X-API-Key: " + "x" * 50_000,))
    yield as_json("a key that is not ASCII", 401, product, to=put, headers=("Authorization: Bearer ü☃",))
    yield as_json(
        "a link that is a script", 422, {**product, "url": "javascript:alert(1)"}, to=put, headers=key
    )
    yield as_json("a category with a NUL", 422, {**product, "category": "a\0b"}, to=put, headers=key)
    yield as_json("a category of lines", 422, {**product, "category": "a\nb"}, to=put, headers=key)
    deep = b'{"title":"x","category":"y","images":["%s"],"attributes":' % ENCODED.encode()
    nested = deep + b'{"a":' * 40 + b"1" + b"}" * 41
    yield as_json("attributes 40 levels deep", 422, nested, to=put, headers=key)
    yield as_json("twenty-one pictures", 422, {**product, "images": [ENCODED] * 21}, to=put, headers=key)
    bomb = hostile_images.bombs()["a PNG of 900 megapixels of black"][0]
    both = [ENCODED, base64.b64encode(bomb).decode()]
    yield as_json("a bomb among the pictures", 413, {**product, "images": both}, to=put, headers=key)
    text = part('name="product"', json.dumps({"title": "x", "category": "y"}).encode())
    file = part('name="images"; filename="../../hostile-put.jpg"', b"hostile")
    yield raw("no picture, with a path for a name", 415, form(text, file), to=put, headers=key)
    for name, written in {"a NUL": "a%00b", "a line end": "a%0Ab", "dots": "%2E%2E"}.items():
        yield as_json(f"a product id of {name}", 422, product, to=f"PUT /v1/products/{written}", headers=key)
    long = "PUT /v1/products/" + "x" * 5000
    yield as_json("a product id of 5 kB", 422, product, to=long, headers=key)
    yield raw("removing what lies above", 404, to="DELETE /v1/products/..%2F..%2Fetc", kind=None, headers=key)


def _changes() -> Iterator[Hostile]:
    key = (f"Authorization: Bearer {KEY}",)
    red = "PATCH /v1/products/dress-red"
    yield as_json("a change without a key", 401, {"price": "1"}, to=red)
    yield as_json("a change of nothing there", 404, {"price": "1"}, to="PATCH /v1/products/none", headers=key)
    deep = b'{"attributes": ' + b'{"a":' * 40 + b"1" + b"}" * 41
    yield as_json("a change 40 levels deep", 422, deep, to=red, headers=key)
    deeper = b'{"attributes": ' * 100_000 + b"1" + b"}" * 100_000
    yield as_json("a change 100,000 levels deep", (400, 413, 422), deeper, to=red, headers=key)
    many = {"variants": [{"options": {"color": "x" * 150}}] * 900}
    yield as_json("variants of 150 kB", 422, many, to=red, headers=key)
    script = {"variants": [{"url": "javascript:alert(1)"}]}
    yield as_json("a variant whose link is a script", 422, script, to=red, headers=key)
    yield as_json("a change of the path", 422, {"path": "/etc/passwd"}, to=red, headers=key)
    yield as_json("a change with a picture", 422, {"images": [ENCODED]}, to=red, headers=key)
    yield raw("a change as a form", 415, form(part('name="price"', b"1")), to=red, headers=key)
    bulk = "POST /v1/products/bulk"
    line = b'{"id": "dress-red", "delete": true}'
    lines = "application/x-ndjson"
    yield raw("lines without a key", 401, line, to=bulk, kind=lines)
    yield raw("lines as JSON", 415, line, to=bulk, kind="application/json", headers=key)
    packed = (*key, "Content-Encoding: gzip")
    yield raw("lines that are packed", 415, line, to=bulk, kind=lines, headers=packed)
    yield raw("lines of a terabyte", 413, line, to=bulk, kind=lines, headers=key, length=10**12)


def _webhooks() -> Iterator[Hostile]:
    hook = "POST /v1/webhooks/shopify"
    body = b'{"id": 632, "handle": "dress-red"}'
    topic = "X-Shopify-Topic: products/delete"
    yield as_json("a webhook without a signature", 401, body, to=hook, headers=(topic,))
    for name, signature in {
        "an empty signature": "",
        "a signature that is not base64": "%%%",
        "a signature of another secret": sign(body, "another-secret-0123456789"),
        "a signature of another body": sign(body + b" ", SHOPIFY_SECRET),
        "a signature of 50 kB": "A" * 50_000,
        "a signature that is not ASCII": "\u2603",
    }.items():
        statuses = (400, 401, 422)
        signed = (topic, f"X-Shopify-Hmac-Sha256: {signature}")
        yield as_json(name, statuses, body, to=hook, headers=signed)
    for name, status, payload in (
        ("a path for the number", 422, b'{"id": "../../../etc/passwd"}'),
        ("a number of 400 digits", 400, b'{"id": ' + b"9" * 400 + b"}"),
        ("a webhook 100,000 levels deep", (400, 413), b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("a webhook of a million values", 413, b'{"id": 1, "tags": [' + b"1," * 1_000_000 + b"1]}"),
        ("a webhook that is no JSON", 400, b"<xml/>"),
    ):
        signed = (topic, f"X-Shopify-Hmac-Sha256: {sign(payload, SHOPIFY_SECRET)}")
        yield as_json(name, status, payload, to=hook, headers=signed)


def sign(body: bytes, secret: str) -> str:
    """The signature of a webhook of Shopify."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def _paths() -> Iterator[Hostile]:
    for path in (
        "/assets/../../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/assets/%00",
        "/v1/images/..%2f..%2fcatalog.db",
        "/v1/images/" + "0" * 64,
        "/v1/images/" + "Z" * 64 + "/thumbnail",
        "/v1/products?limit=1000000",
        "/v1/products?cursor=%00",
        "/v1/products/dress-red/similar?k=1&k=2",
        "/v1/products/%ff%fe",
        "/.git/config",
        "/catalog.db",
    ):
        yield raw(f"reading {path[:50]}", (404, 422), to=f"GET {path}", kind=None)
    yield raw("another method", 405, to="TRACE /v1/search", kind=None)
    yield raw("a method of its own", (400, 405), to="HOSTILE /v1/search", kind=None, before_framework=True)
