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

Ties: where images are equally far, every order of them counts alike. ``top-K``, ``mAP`` and ``MRR`` are
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
    """How many products and images of a category the whole catalog has (the 2018 study's Figure 2)."""

    category: str
    n_products: int
    n_shop_images: int
    n_consumer_images: int


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """How many products and images the whole catalog has, whatever the split.

    Attributes:
        n_products, n_shop_images, n_consumer_images: usable ones.
        n_unusable_images: images that were ingested but could not be read.
        categories: by name.
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
        product: id of the product it shows (for a query: the right answer).
        title: of the product.
        category: of the product.
        path: of the file, absolute.
        sha256: of the file's bytes.
        box: where the garment is, if the catalog knows.
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
        n_images, n_products: how many.
        categories: images by category.
        n_unreadable: images that belong to it but whose features could not be computed.
        digest: of product ids and sha256 of all images: equal digests, equal galleries.
        images: sorted by product id, then path; runs refer to them by their place in this list.
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
    """Queries that are in no score.

    Attributes:
        reason: why, in words.
        n: how many.
        examples: paths of the first few.
    """

    reason: str
    n: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EqualImages:
    """Queries whose very bytes are in the gallery too; they are searched all the same.

    Attributes:
        n_queries: how many queries.
        n_same_product: of these, how many have an equal picture of the right product: too easy.
        examples: the first few, as paths of the query and of the gallery's picture.
    """

    n_queries: int
    n_same_product: int
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """The photos that were searched with; ``description`` belongs beside every table.

    Attributes:
        description: one line: which photos, how many, through which regions.
        n_listed: queries there were before any were left out.
        n_queries: queries in the scores.
        n_products: products that these show.
        categories: queries by category.
        n_without_box: with regions ``box``: queries without one, looked at whole.
        left_out: the others, by reason.
        equal_images: queries whose photo is in the gallery as well.
        digest: of product ids and sha256 of all queries in the scores.
        images: sorted by product id, then path: the order of every column of a run.
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


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap interval over queries, at the confidence of the settings.

    Attributes:
        value: of the queries as they are.
        low, high: ends of the percentile interval; low <= value <= high but for rare, very skewed samples.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class StudySettings:
    """The settings of a study.

    Attributes:
        methods: labels, in the order asked for.
        metrics: in the order asked for.
        ks: rising.
        queries: ``consumer`` (consumer photos) or ``views`` (other shop images of a product).
        gallery: ``all``, ``queried``, ``others``, or a pattern of file names.
        split: values of the product attribute ``split`` that queries were restricted to, separated by commas;
            empty for all.
        gallery_split: the same for the gallery; empty for that of the queries, ``any`` for all.
        regions: through which parts a query was looked at: ``whole``, ``box``, or a plan.
        index: whether candidates came from the indexes (``Gallery.search``) instead of exact distances.
        seed: of the bootstrap.
        n_resamples: of the bootstrap.
        confidence: of every interval, 0.95.
        n_hits: products kept of each answer.
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

        Without ``mAP`` for indexes: they answer with products and do not rank all images.
        """
        return (*(f"top-{k}" for k in self.ks), *(() if self.index else ("mAP",)), "MRR")


@dataclass(frozen=True, slots=True)
class Method:
    """An extractor in a space.

    Attributes:
        label: as in tables: ``resnet50``, ``efficientnet-lite0@320/whitened``.
        extractor, input_size: its name and the side of its input in pixels.
        fingerprint, weights_digest: of the extractor.
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
        category: its name; empty for micro and macro.
        n_queries: how many.
        values: by score name.
    """

    category: str
    n_queries: int
    values: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What a run found for each query, in the order of ``queries.images``; n queries.

    Attributes:
        n_nearer: products nearer than the right one, int64 (n,).
        n_tied: products exactly as far as the right one, itself included, int64 (n,), at least 1.
        average_precision: over the gallery's images, float64 (n,); NaN with ``index``.
        right_image: the right product's nearest picture, its place in ``gallery.images``, int64 (n,).
        right_distance: how far that is, float64 (n,).
        hit_images: the nearest picture of each of the first products, int64 (n, n_hits), nearest first,
            equals in the order of the gallery; -1 where there are no more products.
        hit_distances: how far these are, float64 (n, n_hits); NaN where there are no more.
        hit_regions: which region of the query was nearest to each, int64 (n, n_hits); -1 likewise.
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
        method: label.
        metric: ``l1``, ``l2`` or ``cosine``.
        micro: over all queries alike.
        macro: mean of the categories' scores.
        categories: by name.
        columns: by query.
        ann_recall: with ``index``: mean over queries; else None.
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
        """``resnet50, l1``: names the run in a study."""
        return f"{self.method}, {self.metric}"


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better one run is than another on the same queries.

    Attributes:
        first, second: labels of runs.
        average: ``micro`` or ``macro``.
        score: its name.
        estimate: score of the first minus score of the second, with the paired bootstrap interval.
        p_value: two-sided, of the paired bootstrap; never below 2 / (n + 1), where n is the number of
            resamples, or more than that where there are many pairs.
        p_adjusted: by Holm's method over all pairs with this score and average.
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
        """The run of a method's label with a metric.

        Raises:
            KeyError: there is none.
        """
        for run in self.runs:
            if (run.method, run.metric) == (method, metric):
                return run
        raise KeyError(f"{method}, {metric}")
