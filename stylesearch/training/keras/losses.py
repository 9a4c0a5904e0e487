"""Losses of a batch of right pairs, every other combination of which is a wrong pair.

A photo has several regions, and its distance to an image is that of its *nearest* region, as in a query; the
gradient is that of this region only. All losses have the arguments ``photos``, float32 (b, regions, d), the
tower's vectors of b photos; ``shop``, (b, d), those of one shop image of each photo's product; and ``same``,
bool (b, b), the pairs that are not wrong: those of the diagonal, which are right, and those of duplicates,
which have no part in the loss. Each returns a scalar.
"""

from __future__ import annotations

from typing import Any

from stylesearch.extractors.engines.tensorflow import import_tensorflow

__all__ = ["bce_loss", "contrastive_loss", "cosines", "softmax_loss", "triplet_loss"]

tf = import_tensorflow()

_FAR = 1e9
"""Beyond every distance and every logit."""


def cosines(photos: Any, shop: Any) -> Any:
    """Computes the cosine of each photo's nearest region and each shop image, to (b, m).

    ``photos`` is (b, regions, d), ``shop`` (m, d). A vector of zeros has the cosine 0 to everything.
    """
    shape = tf.shape(photos)
    regions = tf.math.l2_normalize(tf.reshape(photos, (-1, photos.shape[-1])), axis=1)
    images = tf.math.l2_normalize(shop, axis=1)
    found = tf.matmul(regions, images, transpose_b=True)
    return tf.reduce_max(tf.reshape(found, (shape[0], shape[1], -1)), axis=1)


def softmax_loss(photos: Any, shop: Any, same: Any, temperature: float) -> Any:
    """Cross-entropy of finding each photo's shop image among those of the batch, and each shop image's photo.

    References:
        K. Sohn, "Improved deep metric learning with multi-class N-pair loss objective", NIPS 2016; the cosine
        with a temperature, both ways: A. Radford et al., "Learning transferable visual models from natural
        language supervision", ICML 2021. Deviation: the temperature is given, not learned.
    """
    logits = cosines(photos, shop) / temperature
    right = tf.linalg.diag_part(logits)
    others = tf.where(tf.linalg.set_diag(same, tf.zeros_like(right, tf.bool)), -_FAR, logits)
    of_photos = tf.reduce_logsumexp(others, axis=1) - right
    of_shop = tf.reduce_logsumexp(others, axis=0) - right
    return tf.reduce_mean(of_photos + of_shop) / 2


def triplet_loss(photos: Any, shop: Any, same: Any, margin: float, mining: str) -> Any:
    """Triplet loss: each photo has to be nearer to its shop image than to a wrong one, by a margin.

    Distances are squared Euclidean ones of vectors of length one. ``semi-hard``: the wrong image is the
    nearest of those farther than the right one; where all are nearer, the farthest. ``hard``: it is the
    nearest.

    References:
        F. Schroff, D. Kalenichenko and J. Philbin, "FaceNet: a unified embedding for face recognition and
        clustering", CVPR 2015 (semi-hard); A. Hermans, L. Beyer and B. Leibe, "In defense of the triplet loss
        for person re-identification", 2017 (hard). Deviation: the mean over photos instead of the sum.
    """
    squared = 2 - 2 * cosines(photos, shop)
    right = tf.linalg.diag_part(squared)
    nearest = tf.reduce_min(tf.where(same, _FAR, squared), axis=1)
    if mining == "semi-hard":
        beyond = ~same & (squared > right[:, None])
        farthest = tf.reduce_max(tf.where(same, -_FAR, squared), axis=1)
        semi_hard = tf.reduce_min(tf.where(beyond, squared, _FAR), axis=1)
        nearest = tf.where(tf.reduce_any(beyond, axis=1), semi_hard, farthest)
    has_wrong = tf.cast(tf.reduce_any(~same, axis=1), squared.dtype)
    short_of = tf.nn.relu(right - nearest + margin) * has_wrong
    return tf.reduce_sum(short_of) / tf.maximum(tf.reduce_sum(has_wrong), 1)


def contrastive_loss(photos: Any, shop: Any, same: Any, margin: float) -> Any:
    """Contrastive loss: right pairs have to be as near as possible, wrong pairs at least a margin apart.

    ``D ** 2 / 2`` of right pairs and ``max(0, margin - D) ** 2 / 2`` of wrong ones, D Euclidean between
    vectors of length one.

    References:
        R. Hadsell, S. Chopra and Y. LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR
        2006. Deviation: means instead of the sum, of right pairs and of those wrong pairs that are within the
        margin, since a batch has b right pairs and b * (b - 1) wrong ones, most of them far apart.
    """
    squared = tf.maximum(2 - 2 * cosines(photos, shop), 1e-6)  # the root has no slope at 0
    right = tf.reduce_mean(tf.linalg.diag_part(squared)) / 2
    short_of = tf.where(same, 0.0, tf.nn.relu(margin - tf.sqrt(squared)))
    n_within = tf.reduce_sum(tf.cast(short_of > 0, squared.dtype))
    return right + tf.reduce_sum(short_of**2) / 2 / tf.maximum(n_within, 1)


def bce_loss(photos: Any, shop: Any, same: Any, bias: Any, shifts: Any) -> Any:
    """Binary cross-entropy of single pairs: ``sigmoid(bias - l1)`` is the probability that a pair is right.

    Each photo is paired with its shop image and with ``len(shifts)`` wrong ones: those of the products that
    many places later in the batch.

    Args:
        photos, shop, same: see the module.
        bias: trained scalar.
        shifts: numbers of places, int32 (negatives,), from 1 to b - 1.

    References:
        G. Koch, R. Zemel and R. Salakhutdinov, "Siamese neural networks for one-shot image recognition", ICML
        deep learning workshop 2015. Deviation: weights of the l1 distance are at least zero (they are in the
        tower), so that it is a distance which an index can search.
    """
    n_pairs = tf.shape(shop)[0]

    def nearest_region(images: Any) -> Any:
        return tf.reduce_min(tf.reduce_sum(tf.abs(photos - images[:, None]), axis=2), axis=1)

    right = tf.reduce_mean(tf.nn.softplus(nearest_region(shop) - bias))
    wrong, n_wrong = tf.zeros(()), tf.zeros(())
    for number in range(shifts.shape[0]):
        places = (tf.range(n_pairs) + shifts[number]) % n_pairs
        counts = tf.cast(~tf.gather(same, places, batch_dims=1), tf.float32)
        losses = tf.nn.softplus(bias - nearest_region(tf.gather(shop, places)))
        wrong += tf.reduce_sum(losses * counts)
        n_wrong += tf.reduce_sum(counts)
    return (right + wrong / tf.maximum(n_wrong, 1)) / 2
