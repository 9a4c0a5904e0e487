"""What the name of a folder or an image tells: a category, an id, a view of a product, a date, a split.

The words are those of fashion shops in English, German, French, Spanish, Italian and Dutch, with and without
the usual endings; a name in another language tells nothing, and sizes and places decide.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = [
    "CONTAINERS",
    "is_category",
    "is_color",
    "is_day",
    "is_id",
    "is_month",
    "is_position",
    "is_split",
    "is_title",
    "is_view",
    "is_year",
    "is_year_and_month",
]

CONTAINERS: Final = frozenset(
    """archive asset assets backup backups bild bilder catalog catalogue data dataset download downloads
    export exports files foto fotos gallery html image images img imgs katalog media photo photos pic pics
    picture pictures product productimages products produkte pub public shop static store upload uploads web
    webshop website wp-content www""".split()  # noqa: SIM905
)
"""Names of folders that only hold what a shop has, and are no categories."""

_SPLITS: Final = frozenset(
    "dev eval evaluation gallery query test testing train training val valid validation".split()  # noqa: SIM905
)

_CATEGORIES: Final = frozenset(
    """accessories accessory anorak backpack bag ballerina bandana beachwear beanie bedding belt beret
    bermuda bikini blazer blouse bodysuit bolero boot bootie bottom bowtie boxer bra bracelet brief
    brogue camisole cap capri cape cardigan chino clog clothes clothing coat corset costume coverup
    cufflink culotte denim dress dungaree earring espadrille eyewear flat flipflop footwear frock
    garment glasses glove gown handbag hat headband headwear heel hoodie hoody hosiery jacket jean
    jewellery jewelry jogger jumper jumpsuit kaftan kimono knit knitwear legging leggings lingerie
    loafer longsleeve loungewear maternity miniskirt moccasin mule necklace nightwear outerwear
    outwear overall overcoat overshirt panties pant parka polo poloshirt poncho pullover pump
    purse pyjama pajama raincoat ring robe romper running sandal sandals saree sari scarf scarves
    shawl shirt shoe short shorts shrug singlet skirt sleepwear slip slipper sneaker sock sportswear
    stocking stole suit sunglasses suspender sweater sweatpant sweatshirt swim swimsuit swimwear t
    tank tee thong tie tight tights top topwear bottomwear trainer trench trouser tshirt tunic
    turtleneck tuxedo umbrella underwear undershirt uniform vest waistcoat wallet watch watches
    wedge windbreaker wellies workwear activewear wear apparel fashion bags shoes women woman womens
    men man mens kid kids child children boy girl baby babies unisex lady ladies gents female male
    junior teen toddler plus size petite new arrival sale outlet collection season basic basics
    sport sports beauty home casual formal summer winter spring autumn fall evening party long
    sleeve sleeved sleeveless graphic other others misc accesorios kleid kleider rock rocke roecke
    hose hosen hemd hemden bluse blusen jacke jacken mantel maentel schuh schuhe stiefel tasche
    taschen hut hute huete mutze mutzen muetze muetzen gurtel guertel schal schals pulli pullis
    strick unterwasche unterwaesche bademode socken strumpf strumpfe struempfe oberteil oberteile
    anzug anzuge anzuege kinder damen herren madchen maedchen jungen jungs neu neuheiten zubehor
    zubehoer schmuck sommerkleider abendkleider sandalen stiefeletten turnschuhe handschuhe mode
    bekleidung weste westen robes jupe jupes pantalon pantalons chemise chemises chemisier
    chemisiers veste vestes manteau manteaux chaussure chaussures bottes botte sac sacs chapeau
    chapeaux ceinture ceintures echarpe echarpes pull pulls maillot maillots femme femmes homme
    hommes enfant enfants fille filles garcon garcons nouveautes bijoux accessoire accessoires
    vetement vetements vestido vestidos falda faldas pantalones camisa camisas camiseta camisetas
    blusa blusas chaqueta chaquetas abrigo abrigos zapato zapatos bota botas bolso bolsos sombrero
    sombreros cinturon cinturones jersey jerseys mujer mujeres hombre hombres nino ninos nina ninas
    ropa vestito vestiti abito abiti gonna gonne pantaloni camicia camicie maglia maglie maglietta
    magliette giacca giacche cappotto cappotti scarpe scarpa stivali borsa borse cappello cappelli
    donna donne uomo uomini bambino bambini accessori gioielli jurk jurken rok rokken broek broeken
    blouses jas jassen trui truien schoen schoenen laarzen tas tassen hoed hoeden riem riemen dames
    heren kinderen meisjes jongens kleding sieraden""".split()  # noqa: SIM905
)

_BETWEEN: Final = frozenset("and und et y e en of for fur fuer s".split())  # noqa: SIM905

_VIEWS: Final = frozenset(
    """360 3d alternate alt angle angles back backside closeup cover cutout detail details extra extras
    flat flatlay front frontside full gallery hd hero highres high hires image images img large left
    lifestyle look looks lowres main media medium model models normal original originals packshot
    packshots photo photos pic pics picture pictures preview right side small still studio swatch
    swatches thumb thumbnail thumbnails thumbs top view views web worn zoom vorne hinten seite
    detailansicht""".split()  # noqa: SIM905
)

_COLORS: Final = frozenset(
    """beige black blue brown burgundy camel coral cream cyan gold green gray grey indigo ivory khaki
    lavender lilac lime maroon mint mustard navy nude ochre olive orange peach pink plum purple red
    rose rust salmon sand silver tan taupe teal turquoise violet white wine yellow blau braun gelb
    grau grun gruen rosa rot schwarz weiss blanc bleu gris jaune noir rouge vert""".split()  # noqa: SIM905
)

_SHADES: Final = frozenset("bright dark deep dunkel hell light neon off pale pastel soft".split())  # noqa: SIM905

_YEAR: Final = re.compile(r"(?:19[89]|20[0-4])[0-9]")
_ORDER: Final = re.compile(r"^[0-9]{1,2}[-_. ]+")
_YEAR_AND_MONTH: Final = re.compile(r"(?:19[89]|20[0-4])[0-9][-_.](?:0[1-9]|1[0-2])(?:[-_.][0-3][0-9])?")
_MONTH: Final = re.compile(r"0[1-9]|1[0-2]")
_DAY: Final = re.compile(r"0[1-9]|[12][0-9]|3[01]")
_WORDS: Final = re.compile(r"[^\W\d_]+|[0-9]+")
_POSITION: Final = re.compile(
    r"[a-z]?|[0-9]{1,3}|(?:p|pic|img|image|photo|picture|view|shop|shot|bild|foto)?[-_ ]*[0-9]{1,3}"
)
_ID: Final = re.compile(
    r"(?=.*[0-9])(?:[0-9]+|[0-9a-f]{6,}(?:-[0-9a-f]+)*|[\w.-]*[0-9]{2,}[\w.-]*|[a-z]{1,6}[-_.]?[0-9]+)"
)


def is_split(name: str) -> bool:
    """Whether a folder is called like a part of a dataset: ``train``, ``validation``."""
    return name.casefold() in _SPLITS


def is_category(name: str) -> bool:
    """Whether a name has only words for kinds of garments and for who wears them.

    Example:
        >>> [is_category(name) for name in ("Women's Dresses", "Röcke", "red-summer-dress", "MH01")]
        [True, True, False, False]
    """
    # Numbers ahead only put folders in order: "01_dresses".
    words = [word for word in _words(_ORDER.sub("", name)) if word not in _BETWEEN]
    return any(len(word) > 1 for word in words) and all(
        any(form in _CATEGORIES for form in (word, word.removesuffix("s"), word.removesuffix("es")))
        for word in words
    )


def is_id(name: str) -> bool:
    """Whether a name is a number or a code of a shop.

    Example:
        >>> [is_id(name) for name in ("10021", "MH01-black", "a7", "dress", "red dress")]
        [True, True, True, False, False]
    """
    return _ID.fullmatch(name.casefold()) is not None


def is_title(name: str) -> bool:
    """Whether a name has several words, and is no category.

    Example:
        >>> [is_title(name) for name in ("red-summer-dress", "Women's Dresses", "amelia")]
        [True, False, False]
    """
    return sum(word.isalpha() and len(word) > 1 for word in _words(name)) > 1 and not is_category(name)


def is_view(name: str) -> bool:
    """Whether a name says which view of a product, or which size of an image it is: ``front``, ``large``."""
    words = _words(name)
    return bool(words) and any(word in _VIEWS for word in words) and len(words) <= 3 and not is_id(name)


def is_color(name: str) -> bool:
    """Whether a name is one of a color: ``red``, ``dark blue``."""
    words = _words(name)
    return bool(words) and words[-1] in _COLORS and all(word in _COLORS or word in _SHADES for word in words)


def is_position(stem: str) -> bool:
    """Whether an image is named by its place among those of a product alone: ``1``, ``shop_2``, ``front``.

    Example:
        >>> [is_position(stem) for stem in ("1", "shop_2", "front", "10021", "red-dress")]
        [True, True, True, False, False]
    """
    return _POSITION.fullmatch(stem.casefold()) is not None or is_view(stem)


def is_year(name: str) -> bool:
    """Whether a name is a year from 1980 to 2049."""
    return _YEAR.fullmatch(name) is not None


def is_year_and_month(name: str) -> bool:
    """Whether a name is a month of a year, or a day of it: ``2024-05``, ``2024-05-17``."""
    return _YEAR_AND_MONTH.fullmatch(name) is not None


def is_month(name: str) -> bool:
    """Whether a name is a month in two digits."""
    return _MONTH.fullmatch(name) is not None


def is_day(name: str) -> bool:
    """Whether a name is a day of a month in two digits."""
    return _DAY.fullmatch(name) is not None


def _words(name: str) -> list[str]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return _WORDS.findall(plain)
