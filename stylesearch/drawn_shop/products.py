"""Draws products by number, in families of near-twins, with titles and prices.

Products come in blocks of ten, five families a block. Within a family everything is the same but for one
attribute: the same dress with another collar, another sleeve, a wider stripe. Product ``i`` depends on the
seed and ``i`` alone, so a larger range contains the smaller one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from random import Random

from stylesearch.drawn_shop.garments.tailor import draw_spec, is_single_colored, vary_spec
from stylesearch.drawn_shop.wardrobe import ATTRIBUTES, CATEGORIES, GarmentSpec

__all__ = ["DrawnProduct", "draw_product"]

_FAMILY_SIZES = (3, 3, 2, 1, 1)
_BLOCK = sum(_FAMILY_SIZES)

_PATTERN_WORDS = {
    "plain": "",
    "stripes": "striped",
    "vertical stripes": "vertical-striped",
    "dots": "polka-dot",
    "florals": "floral",
    "leaves": "leaf-print",
    "leopard": "leopard-print",
    "brush strokes": "abstract-print",
    "geometric": "geometric-print",
    "border": "border-print",
    "windowpane": "checked",
    "graphic": "printed",
    "chest stripe": "chest-stripe",
    "color block": "color-block",
}
_MATERIAL_WORDS = {"cotton": "", "knit": "knitted", "cable knit": "cable-knit", "quilt": "quilted"}
_CUT_WORDS = {"a-line": "A-line", "regular": "", "straight": "straight", "flared": "flared"}
_LENGTH_WORDS = {"knee": "knee-length", "hip": "", "full": "", "thigh": "short"}
_NECK_WORDS = {
    "round": "round neck",
    "v": "V-neck",
    "square": "square neck",
    "boat": "boat neck",
    "turtle": "high collar",
    "collar": "shirt collar",
    "button-down": "button-down collar",
    "band": "stand-up collar",
    "polo": "polo collar",
    "henley": "henley neck",
    "lapel": "lapels",
    "revere": "revere collar",
    "bow": "pussy bow",
    "hood": "hood",
    "bomber": "ribbed collar",
    "biker": "biker collar",
}
_SLEEVE_WORDS = {
    "straps": "thin straps",
    "sleeveless": "no sleeves",
    "short": "short sleeves",
    "puff": "puff sleeves",
    "elbow": "half sleeves",
    "long": "long sleeves",
    "bell": "bell sleeves",
    "rolled": "rolled-up sleeves",
}
_WAIST_WORDS = {"belt": "belt", "tie": "tie belt", "elastic": "elastic waist"}
_PRICES = {
    "dress": 59,
    "skirt": 39,
    "top": 29,
    "t-shirt": 19,
    "shirt": 39,
    "jumper": 49,
    "trousers": 49,
    "shorts": 29,
    "jacket": 89,
    "coat": 139,
}


@dataclass(frozen=True, slots=True)
class DrawnProduct:
    """A drawn product.

    Attributes:
        index: its number, from 0.
        id: unique over all ranges of one seed, ``"dress-000123"``.
        spec: description of the garment.
        family: shared by near-twins.
        differs_in: the one attribute in which it differs from its family's first member; empty for that one.
        title, price, url: as a shop would write them.
    """

    index: int
    id: str
    spec: GarmentSpec
    family: str
    differs_in: str
    title: str
    price: str
    url: str

    @property
    def attributes(self) -> dict[str, str]:
        """More columns of the shop's table: a value for each of the garment's attributes."""
        values = {name: str(getattr(self.spec, name)) for name in ATTRIBUTES}
        if is_single_colored(self.spec):
            values["second"] = ""
        return {**values, "family": self.family, "differs_in": self.differs_in}


def draw_product(index: int, seed: int) -> DrawnProduct:
    """Draws product number ``index`` of the range with this seed.

    Example:
        >>> draw_product(3, seed=0) == draw_product(3, seed=0)
        True

    Raises:
        ValueError: for a negative index.
    """
    if index < 0:
        raise ValueError(f"products are numbered from 0. Received: {index}")
    family, member = _shuffled_places(index // _BLOCK, seed)[index % _BLOCK]
    spec, differs_in = _family(family, seed)[member]
    random = Random(f"stylesearch/{seed}/price/{family}/{member}")
    dear = {"leather": 2.2, "wool": 1.4, "satin": 1.2, "jersey": 0.9}.get(spec.material, 1.0)
    price = max(7, round(_PRICES[spec.category] * dear * random.uniform(0.6, 1.7)))
    name = f"{spec.category}-{index:06d}"
    return DrawnProduct(
        index=index,
        id=name,
        spec=spec,
        family=f"family-{family:06d}",
        differs_in=differs_in,
        title=_title(spec),
        price=f"{price}.{random.choice(('00', '50', '90', '95', '99'))}",
        url=f"https://shop.example/{spec.category}/{name}",
    )


@functools.lru_cache(maxsize=64)
def _shuffled_places(block: int, seed: int) -> tuple[tuple[int, int], ...]:
    """Lists family number and place in it of each product of a block, in mixed order."""
    random = Random(f"stylesearch/{seed}/block/{block}")
    sizes = list(_FAMILY_SIZES)
    random.shuffle(sizes)
    first = block * len(sizes)
    places = [(first + number, member) for number, size in enumerate(sizes) for member in range(size)]
    random.shuffle(places)
    return tuple(places)


@functools.lru_cache(maxsize=256)
def _family(family: int, seed: int) -> tuple[tuple[GarmentSpec, str], ...]:
    """Makes the members of a family, as many as any family may have, each with the attribute that differs."""
    turn, place = divmod(family, len(CATEGORIES))
    order = list(CATEGORIES)
    Random(f"stylesearch/{seed}/order/{turn}").shuffle(order)
    random = Random(f"stylesearch/{seed}/family/{family}")
    members = [(draw_spec(order[place], random), "")]
    while len(members) < max(_FAMILY_SIZES):
        twin = vary_spec(members[0][0], random)
        if twin[0] not in [spec for spec, _ in members]:
            members.append(twin)
    return tuple(members)


def _title(spec: GarmentSpec) -> str:
    """Makes a title such as "Striped A-line midi dress with V-neck and long sleeves, navy/white"."""
    words = [
        _PATTERN_WORDS.get(spec.pattern, spec.pattern),
        _CUT_WORDS.get(spec.cut, spec.cut),
        _LENGTH_WORDS.get(spec.length, spec.length),
        _MATERIAL_WORDS.get(spec.material, spec.material),
        {"t-shirt": "T-shirt"}.get(spec.category, spec.category),
    ]
    details = [
        _NECK_WORDS.get(spec.neckline, ""),
        _SLEEVE_WORDS.get(spec.sleeves, ""),
        _WAIST_WORDS.get(spec.waist, ""),
    ]
    text = " ".join(word for word in words if word)
    named = [detail for detail in details if detail][:2]
    if named:
        text += " with " + " and ".join(named)
    colors = spec.color if is_single_colored(spec) else f"{spec.color}/{spec.second}"
    return f"{text[0].upper()}{text[1:]}, {colors}"
