"""Models of searches: with a photo, with several, with a product, and what a photo shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from stylesearch.conditions import parse_where
from stylesearch.serving.api.body_fields import (
    NO_NULL,
    CategoryName,
    Photo,
    PhotoFile,
    StrictModel,
    check_count,
    parse_digits,
    parse_flag,
    parse_whole_number,
)
from stylesearch.serving.problems import Problem
from stylesearch.types import MOST_FACETS, Box, SearchRequest, SpaceChoice

__all__ = [
    "MAX_PHOTOS",
    "BatchBody",
    "BatchForm",
    "DetectBody",
    "DetectForm",
    "SearchBody",
    "SearchForm",
    "SearchOptions",
    "SimilarQuery",
]

MAX_PHOTOS: Final = 16
"""Of one batch."""

MAX_PIXEL: Final = 1_000_000


def _parse_spot(value: Any) -> Any:
    """Converts the number of a spot to text; ``true`` is none."""
    number = parse_whole_number(value)
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else value


def _parse_box(value: Any) -> Any:
    try:
        return list(map(int, str(Box.parse(value)).split(",")))
    except ValueError:
        raise ValueError("x0,y0,x1,y1 wanted, in pixels, with x0 < x1 and y0 < y1") from None


def _check_box(corners: list[int]) -> list[int]:
    Box(*corners)
    return corners


Count = Annotated[
    int, Field(ge=1, description="how many products at most"), BeforeValidator(parse_whole_number)
]
CountText = Annotated[
    int, Field(ge=1, description="how many products at most"), BeforeValidator(parse_digits)
]
_EXPLAIN: Final = (
    "whether each hit says which part of the photo was nearest, and what each part of the vectors made of it"
)
Explain = Annotated[bool, Field(description=_EXPLAIN)]
ExplainText = Annotated[bool, Field(description=_EXPLAIN), BeforeValidator(parse_flag)]
SpaceName = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NULL)]
MetricName = Annotated[str, Field(min_length=1, max_length=20, pattern=NO_NULL)]
Pixel = Annotated[int, Field(ge=-MAX_PIXEL, le=MAX_PIXEL), BeforeValidator(parse_whole_number)]
BoxCorners = Annotated[list[Pixel], Field(min_length=4, max_length=4), AfterValidator(_check_box)]
BoxText = Annotated[
    BoxCorners,
    BeforeValidator(_parse_box),
    WithJsonSchema({"type": "string", "pattern": "^-?[0-9]{1,6}(,-?[0-9]{1,6}){3}$"}),
]
_REGION: Final = "^(auto|whole|torso|legs|body|[1-9][0-9]?)$"
RegionName = Annotated[
    str,
    Field(pattern=_REGION),
    BeforeValidator(_parse_spot),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _REGION}, {"type": "integer", "minimum": 1, "maximum": 99}]}
    ),
]


def _split_names(value: Any) -> Any:
    text = value[0] if isinstance(value, list) and len(value) == 1 else value
    return [name.strip() for name in text.split(",") if name.strip()] if isinstance(text, str) else value


def _check_where(where: Any) -> Any:
    parse_where(where)
    return where


_WHERE: Final = (
    "conditions that products have to meet, all of them: `color=red`, `price<50`, `price=10..50`, "
    "`color in (red, blue)`, `not color=red`, `color exists`; `and` between several"
)
_FACETS: Final = (
    "names by whose values the products that meet `where` and the category are counted: `category`, "
    "`price`, `in_stock`, `source`, or an attribute such as `color`"
)
_Text = Annotated[str, Field(min_length=1, max_length=4000, pattern=NO_NULL)]
_Value = _Text | bool | int | float
FacetName = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NULL)]
FacetNames = Annotated[
    list[FacetName],
    Field(max_length=MOST_FACETS),
    BeforeValidator(_split_names),
    WithJsonSchema({"type": "string", "description": "names with commas between them"}),
]
WhereText = Annotated[_Text, AfterValidator(_check_where)]
WhereValues = Annotated[
    _Text | list[_Text] | dict[str, _Value | Annotated[list[_Value], Field(min_length=1)] | None],
    AfterValidator(_check_where),
]

_BOX: Final = (
    "where the garment is: x0, y0, x1, y1 in pixels of the upright photo, with x0 < x1 and y0 < y1; cut to "
    "the photo, and refused only where nothing of it lies there. Takes the place of the regions. With the "
    "regions `person` it is also searched with white around a person who covers enough of it"
)


class SearchOptions(StrictModel):
    """How a search is done, with whatever it is done."""

    k: Count = 20
    category: CategoryName | None = Field(
        None, description="only in this one and those below it; see `GET /v1/categories`"
    )
    space: SpaceName | None = Field(
        None, description="where distances are taken; see `GET /v1/page`. The workspace's own by default"
    )
    metric: MetricName | None = Field(
        None,
        description="`l1`, `l2` or `cosine`; a trained model brings its own. The workspace's own by default",
    )
    explain: Explain = False
    where: WhereValues | None = Field(
        None,
        description=f"{_WHERE}. Or a list of such texts, or values by name: "
        '`{"color": ["red", "blue"], "price": "<50"}`',
    )

    facets: Annotated[list[FacetName], Field(max_length=MOST_FACETS)] = Field(
        [],
        description=_FACETS,
    )

    @property
    def search_request(self) -> SearchRequest:
        """What is asked, as a value."""
        return SearchRequest(
            k=self.k,
            category=self.category,
            explain=self.explain,
            where=() if self.where is None else self.where,
            facets=tuple(self.facets),
        )

    @property
    def space_choice(self) -> SpaceChoice:
        """The space and the metric; empty for the workspace's own."""
        return SpaceChoice(space=self.space or "", metric=self.metric or "")

    def check_k(self, max_k: int) -> None:
        """Refuses a k above that of the server's settings.

        Raises:
            Problem: 422.
        """
        if self.k > max_k:
            raise Problem(422, f"k: at most {max_k}")


class SimilarQuery(SearchOptions):
    """The query of a search with a product."""

    k: CountText = 20
    explain: ExplainText = False
    where: WhereText | None = Field(None, description=_WHERE)
    facets: FacetNames = Field([], description=_FACETS)


class PhotoOptions(SearchOptions):
    """How a search with photos is done."""

    region: RegionName = Field(
        "auto",
        description="the one part of the photo that is searched for: `whole`, the `torso`, `legs` or `body` "
        "of the largest and most central person, or the number of a spot of `POST /v1/detect`. "
        "`auto`: as the server's settings say. Not together with a box",
    )

    @property
    def search_request(self) -> SearchRequest:
        """What is asked, as a value."""
        return replace(super().search_request, region=self.region)


class SearchBody(PhotoOptions):
    """A search with one photo, as JSON."""

    image: Photo
    box: BoxCorners | None = Field(None, description=_BOX)

    @property
    def search_request(self) -> SearchRequest:
        """What is asked, as a value."""
        return replace(super().search_request, box=None if self.box is None else Box(*self.box))


class SearchForm(SearchBody):
    """A search with one photo, as a form."""

    k: CountText = 20
    explain: ExplainText = False
    where: WhereText | None = Field(None, description=_WHERE)
    facets: FacetNames = Field([], description=_FACETS)
    image: PhotoFile
    box: BoxText | None = Field(None, description=f"{_BOX}; written x0,y0,x1,y1")


class DetectBody(StrictModel):
    """A photo whose spots are wanted, as JSON."""

    image: Photo


class DetectForm(DetectBody):
    """A photo whose spots are wanted, as a form."""

    image: PhotoFile


class BatchBody(PhotoOptions):
    """A search with several photos, as JSON."""

    images: Annotated[list[Photo], Field(min_length=1, max_length=MAX_PHOTOS), check_count(MAX_PHOTOS)]


class BatchForm(BatchBody):
    """A search with several photos, as a form."""

    k: CountText = 20
    explain: ExplainText = False
    where: WhereText | None = Field(None, description=_WHERE)
    facets: FacetNames = Field([], description=_FACETS)
    images: Annotated[list[PhotoFile], Field(min_length=1, max_length=MAX_PHOTOS), check_count(MAX_PHOTOS)]
