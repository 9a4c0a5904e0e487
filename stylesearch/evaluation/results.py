"""The results of a study, as frozen values from which every table and chart is made.

```text
Study
├── settings    what was asked for
├── catalog     how many products and images the catalog has, by category
├── gallery     which images were searched in   (images: StudyImage, numbered by their place)
├── queries     which photos were searched with, and which were left out and why
├── methods     extractor and space of each method
├── runs        one for each method and metric: scores by category, micro, macro; columns by query
├── differences between runs, paired by query, with intervals and p-values
└── seconds     times; apart from the rest, which is the same for the same catalog and seed
```

They are saved by ``stylesearch.evaluation.results_files.save_results``.

Names of scores: ``top-K`` for each K asked for (share of queries whose product is among the first K
products), ``mAP`` (mean average precision over the *images* of the gallery, all images of the product being
right) and ``MRR`` (mean reciprocal rank of the product). All are from 0 to 1.

Ties: all orders of equally far images are equally likely. ``top-K``, ``mAP`` and ``MRR`` are
the expectation over these orders; a query's rank is its expected rank, ``n_nearer + (n_tied + 1) / 2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stylesearch.array_types import Doubles, Ints
from stylesearch.types import Box

__all__ = [
    "CatalogFacts",
    "CategoryCounts",
    "Columns",
    "Difference",
    "EqualImages",
    "Estimate",
    "GalleryFacts",
    "LeftOut",
    "Method",
    "QueryFacts",
    "Run",
    "Scores",
    "Study",
    "StudyImage",
    "StudySettings",
]


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """Numbers of products and images of a category in the whole catalog (the 2018 study's Figure 2)."""

    category: str
    n_products: int
    n_shop_images: int
    n_consumer_images: int


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """Numbers of products and images in the whole catalog, of all splits.

    Attributes:
        n_products, n_shop_images, n_consumer_images: numbers of usable ones.
        n_unusable_images: images that were ingested but could not be read.
        categories: counts of each category, sorted by name.
    """

    n_products: int
    n_shop_images: int
    n_consumer_images: int
    n_unusable_images: int
    categories: tuple[CategoryCounts, ...]


@dataclass(frozen=True, slots=True)
class StudyImage:
    """An image of the gallery, or a query.

    Attributes:
        product: id of the product that it shows (for a query: the right answer).
        title: title of the product.
        category: category of the product.
        path: path of the file, absolute.
        sha256: digest of the file's bytes.
        box: box around the garment, if the catalog has one.
    """

    product: str
    title: str
    category: str
    path: str
    sha256: str
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class GalleryFacts:
    """The gallery that was searched; ``description`` belongs beside every table.

    Attributes:
        description: one line: which images, how many, of how many products.
        n_images, n_products: numbers of images and products.
        categories: images by category.
        n_unreadable: images that belong to it but whose features could not be computed.
        digest: digest of product ids and sha256 of all images: equal digests, equal galleries.
        images: the images, sorted by product id, then path; runs refer to them by their place in this list.
    """

    description: str
    n_images: int
    n_products: int
    categories: Mapping[str, int]
    n_unreadable: int
    digest: str
    images: tuple[StudyImage, ...] = field(metadata={"key": "pictures"})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Queries that are left out of all scores.

    Attributes:
        reason: the reason, in words.
        n: number of queries.
        examples: paths of the first few.
    """

    reason: str
    n: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EqualImages:
    """Queries whose bytes are in the gallery too; they are searched nevertheless.

    Attributes:
        n_queries: number of such queries.
        n_same_product: number of those with an equal image of the right product, which makes them too easy.
        examples: the first few, as paths of the query and of the gallery's image.
    """

    n_queries: int
    n_same_product: int
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """The photos that were searched with; ``description`` belongs beside every table.

    Attributes:
        description: one line: which photos, how many, through which regions.
        n_listed: number of queries before any were left out.
        n_queries: number of queries in the scores.
        n_products: number of products that these show.
        categories: number of queries by category.
        n_without_box: with regions ``box``: number of queries without one, which are searched whole.
        left_out: queries that were left out, by reason.
        equal_images: queries whose photo is in the gallery as well.
        digest: digest of product ids and sha256 of all queries in the scores.
        images: the queries, sorted by product id, then path: the order of every column of a run.
        n_with_person: with regions ``person``: number of queries in which a person was found; the others were
            looked at as with ``large``. None with other regions.
    """

    description: str
    n_listed: int
    n_queries: int
    n_products: int
    categories: Mapping[str, int]
    n_without_box: int
    left_out: tuple[LeftOut, ...]
    equal_images: EqualImages = field(metadata={"key": "equal_pictures"})
    digest: str
    images: tuple[StudyImage, ...] = field(metadata={"key": "pictures"})
    n_with_person: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap interval over queries, at the confidence of the settings.

    Attributes:
        value: value for the queries as they are.
        low, high: ends of the percentile interval; low <= value <= high except for rare, very skewed samples.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class StudySettings:
    """The settings of a study.

    Attributes:
        methods: labels, in the order asked for.
        metrics: metrics, in the order asked for.
        ks: values of k, rising.
        queries: ``consumer`` (consumer photos) or ``views`` (other shop images of a product).
        gallery: ``all``, ``queried``, ``others``, or a pattern of file names.
        split: values of the product attribute ``split`` that queries were restricted to, separated by commas;
            empty for all.
        gallery_split: the same for the gallery; empty for that of the queries, ``any`` for all.
        regions: regions of a query that were searched with: ``whole``, ``box``, or a plan.
        index: whether candidates came from the indexes (``Gallery.search``) instead of exact distances.
        seed: seed of the bootstrap.
        n_resamples: number of resamples of the bootstrap.
        confidence: confidence of every interval, 0.95.
        n_hits: number of products kept of each answer.
    """

    methods: tuple[str, ...]
    metrics: tuple[str, ...] = ("l1", "l2", "cosine")
    ks: tuple[int, ...] = (1, 5, 10, 20, 50)
    queries: str = "consumer"
    gallery: str = "all"
    split: str = ""
    gallery_split: str = ""
    regions: str = "whole"
    index: bool = False
    seed: int = 0
    n_resamples: int = 2000
    confidence: float = 0.95
    n_hits: int = 20

    @property
    def score_names(self) -> tuple[str, ...]:
        """``top-K`` for every K, ``mAP``, ``MRR``: the order of columns in every table.

        Without ``mAP`` for indexes, which answer with products and do not rank all images.
        """
        return (*(f"top-{k}" for k in self.ks), *(() if self.index else ("mAP",)), "MRR")


@dataclass(frozen=True, slots=True)
class Method:
    """An extractor in a space.

    Attributes:
        label: label in tables: ``resnet50``, ``efficientnet-lite0@320/whitened``.
        extractor, input_size: name of the extractor and side of its input in pixels.
        fingerprint, weights_digest: digests of the extractor.
        feature_dim: width of a feature.
        space: ``raw``, ``whitened``.
        dim: width of a vector of the space.
        transform_version: digest of the transform, fitted on the gallery alone.
    """

    label: str
    extractor: str
    input_size: int
    fingerprint: str
    weights_digest: str
    feature_dim: int
    space: str
    dim: int
    transform_version: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of one category, or overall.

    Attributes:
        category: name of the category; empty for micro and macro.
        n_queries: number of queries.
        values: the scores by name.
    """

    category: str
    n_queries: int
    values: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Results of a run for each of n queries, in the order of ``queries.images``.

    Attributes:
        n_nearer: products nearer than the right one, int64 (n,).
        n_tied: products exactly as far as the right one, itself included, int64 (n,), at least 1.
        average_precision: over the gallery's images, float64 (n,); NaN with ``index``.
        right_image: place in ``gallery.images`` of the right product's nearest image, int64 (n,).
        right_distance: distance of that image, float64 (n,).
        hit_images: place of the nearest image of each of the first products, int64 (n, n_hits), nearest
            first, equal ones in the order of the gallery; -1 where there are no more products.
        hit_distances: distances of these images, float64 (n, n_hits); NaN where there are no more.
        hit_regions: region of the query that was nearest to each, int64 (n, n_hits); -1 where there are no
            more.
        ann_recall: with ``index``: share of the exact first ``n_hits`` products that the indexes found,
            float64 (n,); else None. With ``index``, a right product beyond those that the index answered
            with counts as not found: ``n_nearer`` is then the number of products of the gallery.
    """

    n_nearer: Ints
    n_tied: Ints
    average_precision: Doubles
    right_image: Ints
    right_distance: Doubles
    hit_images: Ints
    hit_distances: Doubles
    hit_regions: Ints
    ann_recall: Doubles | None = None

    @property
    def ranks(self) -> Doubles:
        """Expected rank of the right product, float64 (n,): 1 for the nearest, ties shared."""
        ranks: Doubles = self.n_nearer + (self.n_tied + 1) / 2
        return ranks


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One method with one metric.

    Attributes:
        method: label of the method.
        metric: ``l1``, ``l2`` or ``cosine``.
        micro: scores over all queries.
        macro: mean of the categories' scores.
        categories: scores by category, sorted by name.
        columns: results by query.
        ann_recall: with ``index``: mean recall over queries; else None.
    """

    method: str
    metric: str
    micro: Scores
    macro: Scores
    categories: tuple[Scores, ...]
    columns: Columns
    ann_recall: Estimate | None = None

    @property
    def label(self) -> str:
        """Name of the run in a study: ``resnet50, l1``."""
        return f"{self.method}, {self.metric}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two runs on the same queries.

    Attributes:
        first, second: labels of runs.
        average: ``micro`` or ``macro``.
        score: name of the score.
        estimate: score of the first minus score of the second, with the paired bootstrap interval.
        p_value: two-sided p-value of the paired bootstrap; never below 2 / (n + 1), where n is the number of
            resamples, or more where there are many pairs.
        p_adjusted: the p-value adjusted by Holm's method over all pairs with this score and average.
    """

    first: str
    second: str
    average: str
    score: str
    estimate: Estimate
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """The results of one evaluation; see the module."""

    settings: StudySettings
    catalog: CatalogFacts
    gallery: GalleryFacts
    queries: QueryFacts
    methods: tuple[Method, ...]
    runs: tuple[Run, ...]
    differences: tuple[Difference, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)

    def run(self, method: str, metric: str) -> Run:
        """Returns the run of a method's label with a metric.

        Raises:
            KeyError: there is none.
        """
        for run in self.runs:
            if (run.method, run.metric) == (method, metric):
                return run
        raise KeyError(f"{method}, {metric}")
