import numpy as np
import pytest


@pytest.fixture(scope="session")
def photo_like():
    """Six pictures of 48 pixels with what photos have: shades, edges, checks, specks, white around them."""
    rng = np.random.default_rng(7)
    size = 48
    y, x = np.mgrid[:size, :size]
    images = np.full((6, size, size, 3), 255, np.uint8)
    for number, image in enumerate(images):
        shade = 60 + 120 * (x * np.cos(number) + y * np.sin(number)) / size
        body = shade[..., None] * rng.uniform(0.3, 1.0, 3) + rng.normal(0, 4 * number, (size, size, 3))
        checks = ((x // (2 + number) + y // (3 + number)) % 2 == 0)[..., None]
        body = np.where(checks, body, body[::-1, ::-1, ::-1])
        left, top = rng.integers(0, 12, 2)
        inside = body.clip(0, 255).astype(np.uint8)[top : size - top, left : size - left]
        image[top : size - top, left : size - left] = inside
    return images
