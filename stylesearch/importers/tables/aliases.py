"""Names that columns of tables have in English, German, French, Spanish, Italian, Dutch and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from stylesearch.importers.tables.items import plain_name

__all__ = [
    "FIELDS",
    "compact_name",
    "count_fields",
    "find_field",
    "is_more_images",
    "may_be_id",
    "price_currency",
]

_NAMES: Final[Mapping[str, str]] = {
    "id": """id; product id; sku; item id; product code; item code; item number; article number; article id;
        style number; model number; handle;
        artikelnummer; artikel nr; art nr; artikel id; produktnummer; produkt id; produktcode;
        bestellnummer; identifiant; id produit; référence; référence produit; réf; code article; code produit;
        numéro d'article; identificador; id producto; referencia; código; código de producto; código producto;
        número de artículo; id prodotto; codice; codice articolo; codice prodotto; riferimento;
        artikelcode; productcode; productnummer; artnr;
        货号; 商品编号; 商品编码; 商品id; 产品编号; 产品id; 编号; 编码; 款号;
        mpn; ean; ean13; ean code; gtin; upc; barcode; strichcode; code barre; 条码""",
    "title": """title; name; product name; product title; item name; item title; article name;
        titel; bezeichnung; produktname; produktbezeichnung; artikelname; artikelbezeichnung; produkttitel;
        titre; nom; désignation; libellé; nom du produit; nom produit; titre du produit;
        título; nombre; nombre del producto; nombre producto; denominación;
        titolo; nome; nome prodotto; nome articolo; denominazione;
        naam; productnaam; artikelnaam; omschrijving kort; producttitel;
        标题; 名称; 商品名称; 商品标题; 产品名称; 品名; 商品名;
        artikel; article""",
    "category": """category; categories; product category; product type; category path; category name;
        kategorie; kategorien; warengruppe; produktkategorie; produktgruppe; kategoriepfad; rubrik;
        catégorie; catégories; rubrique; famille; type de produit;
        categoría; categorías; tipo de producto; familia;
        categoria; categorie; tipo prodotto; reparto;
        productcategorie; productgroep; artikelgroep; 类别; 分类; 类目; 品类; 商品分类; 商品类别; 产品分类""",
    "image": """image; image path; image url; image link; image src; image file; image name; image filename;
        main image; main image url; product image; product image url; cover image; featured image; base image;
        picture; picture url; picture path; photo; photo url; img; img url; img src; images; image urls;
        image links; pictures; photos; product images; path; file; filename; file name; file path;
        bild; bild url; bildpfad; bildlink; bilddatei; bildname; bildadresse; hauptbild; produktbild;
        artikelbild; foto; foto url; bilder; bilder urls; produktbilder; artikelbilder; fotos; dateiname;
        datei; dateipfad; pfad;
        image produit; image principale; url image; lien image; url de l'image; photo produit; fichier;
        images produit; urls images; chemin;
        imagen; url imagen; url de imagen; enlace imagen; imagen principal; foto producto; imágenes; archivo;
        fichero; ruta;
        immagine; url immagine; link immagine; immagine principale; immagini; foto prodotto; percorso;
        afbeelding; afbeelding url; afbeeldingslink; hoofdafbeelding; productafbeelding; afbeeldingen;
        afbeeldingen url; productfoto; foto's; bestandsnaam;
        图片; 主图; 图片链接; 图片地址; 图片路径; 商品图片; 产品图片; 商品主图; 图像; 照片; 文件名""",
    "more images": """additional image; additional images; additional image link; additional image links;
        additional image url; additional image urls; more images; other images; other image; extra images;
        extra image; gallery images; gallery image; image gallery; secondary images; detail images;
        alternate images; further images; images; image urls; image links; pictures; photos; product images;
        weitere bilder; zusätzliche bilder; zusatzbilder; zusatzbild; weiteres bild; galerie; bildergalerie;
        bilder; produktbilder; artikelbilder; detailbilder;
        images supplémentaires; image supplémentaire; autres images; images secondaires; galerie d'images;
        imágenes adicionales; imagen adicional; otras imágenes; galería; imágenes; galería de imágenes;
        immagini aggiuntive; immagine aggiuntiva; altre immagini; galleria; immagini;
        extra afbeeldingen; extra afbeelding; meer afbeeldingen; overige afbeeldingen; galerij; afbeeldingen;
        附加图片; 其他图片; 更多图片; 图片列表; 附图; 细节图; 副图""",
    "price": """price; regular price; retail price; unit price; list price; selling price; price gross;
        preis; verkaufspreis; bruttopreis; endpreis; einzelpreis; vk; vk preis; vk brutto; preis brutto;
        prix; prix de vente; prix ttc; prix public; tarif; prix unitaire;
        precio; precio de venta; precio venta; pvp; precio regular;
        prezzo; prezzo di vendita; prezzo di listino; prijs; verkoopprijs; adviesprijs;
        价格; 售价; 单价; 商品价格; 原价; 零售价""",
    "sale price": """sale price; special price; discount price; discounted price; offer price; reduced price;
        promo price; current price; sonderpreis; angebotspreis; aktionspreis; reduzierter preis; sale preis;
        prix promo; prix soldé; prix réduit; prix remisé; prix promotionnel; prix barré remisé;
        precio de oferta; precio oferta; precio rebajado; precio especial; precio con descuento;
        prezzo scontato; prezzo speciale; prezzo in offerta; prezzo offerta; prezzo promozionale;
        actieprijs; aanbiedingsprijs; speciale prijs; kortingsprijs; 促销价; 特价; 优惠价; 折扣价; 活动价""",
    "url": """url; link; product url; product link; product page; page url; permalink; deeplink; deep link;
        produkt url; produktlink; produktseite; artikellink; lien; lien produit; url produit; url du produit;
        page produit; enlace; enlace producto; url producto; url del producto; collegamento; link prodotto;
        url prodotto; productlink; producturl; productpagina; 链接; 商品链接; 产品链接; 网址; 商品网址""",
    "domain": "domain",
    "box": "box; bbox; bounding box",
    "in stock": """in stock; stock; availability; available; stock status; quantity; qty; stock quantity;
        inventory; stock level; on hand;
        bestand; lagerbestand; verfügbarkeit; verfügbar; auf lager; lieferbar; lieferbarkeit;
        disponibilité; disponible; en stock; quantité; quantité en stock; stock disponible;
        disponibilidad; existencias; cantidad; inventario;
        disponibilità; disponibile; giacenza; quantità; magazzino; scorte;
        voorraad; beschikbaarheid; beschikbaar; op voorraad; aantal; voorraadstatus;
        库存; 库存数量; 库存状态; 有货; 存货; 是否有货""",
    "group": """item group id; group id; product group id; variant group; variant group id; parent; parent id;
        parent sku; parent code; parent product; parent product id; master id; master sku; style id;
        gruppen id; variantengruppe; vaterartikel; vater; vater sku; vater id; elternartikel; eltern id;
        hauptartikel; hauptartikelnummer; vaterartikelnummer; master artikelnummer; stammartikel;
        id groupe; groupe d'articles; id parent; sku parent; référence parent; référence parente;
        article parent; produit parent; id grupo; id padre; sku padre; referencia padre; producto padre;
        padre; id gruppo; codice padre; prodotto padre; articolo padre;
        groep id; hoofdartikel; hoofdartikelnummer; ouder; ouder id; hoofdproduct;
        父sku; 父id; 父商品编号; 父商品; 主商品编号; 主sku; spu; spu编码; 商品组; 组id""",
    "color": """color; colour; color name; colour name; farbe; farbname; couleur; coloris; colore; kleur;
        颜色; 色; 顏色; 颜色名称""",
    "size": """size; size name; größe; grösse; groesse; konfektionsgröße; taille; pointure; talla; tamaño;
        taglia; misura; maat; 尺码; 尺寸; 码数; 规格尺码""",
    "published": """published; is published; active; is active; visible; is visible; visibility; online;
        enabled; status; product status; publish; published status; publication status;
        aktiv; ist aktiv; veröffentlicht; sichtbar; sichtbarkeit; freigegeben; freigeschaltet; im shop;
        im onlineshop;
        actif; publié; visibilité; en ligne; statut; activo; publicado; visibilidad; en línea; estado;
        attivo; pubblicato; visibile; visibilità; stato; actief; gepubliceerd; zichtbaar; zichtbaarheid;
        上架; 是否上架; 上架状态; 状态""",
    "currency": """currency; currency code; price currency; währung; waehrung; devise; monnaie; moneda;
        divisa; valuta; munteenheid; 货币; 币种; 币别""",
}

FIELDS: Final = tuple(name for name in _NAMES if name != "more images")
"""What the columns of a table are about; every other column is an attribute."""

_MAYBE_IDS: Final = ("artikel", "article", "articulo", "articolo")
"""Names of columns that have names of products, or else what tells products apart."""

_CURRENCIES: Final = (
    "EUR USD GBP CHF PLN CZK SEK NOK DKK HUF RON BGN TRY JPY CNY RMB HKD TWD KRW INR AUD CAD NZD BRL MXN ZAR"
)
_PRICE_IN: Final = re.compile(
    rf"(?P<name>.+?)[\s(\[/,:]+(?:(?:in|en)\s+)?(?P<currency>{'|'.join(_CURRENCIES.casefold().split())}|[€$£¥])"
    r"\s*[)\]]?"
)


def compact_name(name: str) -> str:
    """Makes names of columns equal that differ in accents, blanks, case and punctuation.

    Example:
        >>> [compact_name(name) for name in ("Art.-Nr.", "imageUrl", "Image URL", "Catégorie", "Größe")]
        ['artnr', 'imageurl', 'imageurl', 'categorie', 'grosse']
    """
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


_LONGEST_NAME: Final = 100

_RANKS: Final = {
    field: {compact_name(name): rank for rank, name in reversed(list(enumerate(names.split(";"))))}
    for field, names in _NAMES.items()
}


def find_field(name: str) -> tuple[str, int] | None:
    """Finds what a column is about, and how early its name is among those for that; None for an attribute.

    Args:
        name: the column's, as ``plain_name`` returns it. Pictures may be numbered, and prices name their
            currency.

    Example:
        >>> find_field("bezeichnung")[0], find_field("image 2 url")[0], find_field("preis (eur)")[0]
        ('title', 'image', 'price')
    """
    compact = compact_name(name)
    for field in FIELDS:
        if (rank := _RANKS[field].get(compact)) is not None:
            return field, rank
    for field in ("image", "more images"):
        if (rank := _RANKS[field].get(_without_digits(compact))) is not None:
            return "image", rank
    if (found := _PRICE_IN.fullmatch(name)) is not None:
        compact = compact_name(found["name"])
        for field in ("price", "sale price"):
            if (rank := _RANKS[field].get(compact)) is not None:
                return field, rank
    return None


def count_fields(names: Iterable[str]) -> int:
    """Number of different fields that columns with these names would be about: 2 or more in a header.

    Example:
        >>> count_fields(["Art.-Nr.", "Bild", "Bild 2", "Stoff"]), count_fields(["Export vom 30.11.2026", ""])
        (2, 0)
    """
    found = (find_field(plain_name(name)) for name in names if name and len(name) <= _LONGEST_NAME)
    return len({field for field, _ in filter(None, found)})


def may_be_id(name: str) -> bool:
    """Whether a column may have the ids, of a table that has no better one for them: ``Artikel``."""
    return compact_name(name) in _MAYBE_IDS


def is_more_images(name: str) -> bool:
    """Whether a column has further pictures, beside the one with the picture: a list, or a numbered one."""
    compact = compact_name(name)
    return _without_digits(compact) != compact or compact in _RANKS["more images"]


def price_currency(name: str) -> str:
    """The currency in the name of a column with prices; "" for none.

    Example:
        >>> price_currency("preis (eur)"), price_currency("price in €"), price_currency("price")
        ('EUR', '€', '')
    """
    found = _PRICE_IN.fullmatch(name)
    return found["currency"].upper() if found else ""


def _without_digits(compact: str) -> str:
    return "".join(c for c in compact if not c.isdecimal())
