from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylesearch.importers.tables.items import Item, Picture
from stylesearch.importers.tables.woocommerce import WooCommerce
from stylesearch.types import Variant
from tests.unit.importers.tables.reading import items_of, join, open_csv, open_file, read

HEAD = (
    "ID,Type,SKU,Name,Published,Is featured?,Visibility in catalog,In stock?,Stock,Backorders allowed?,"
    "Date sale price starts,Date sale price ends,Sale price,Regular price,Categories,Tags,Images,Parent,"
    "External URL,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Attribute 2 name,"
    "Attribute 2 value(s),Brands\n"
)
ROWS = (
    '741,variable,tee,T-Shirt &amp; more,1,0,visible,1,,0,,,,,"Clothing > Tshirts, Sale","a, b",'
    '"https://i.example/g.png, https://i.example/b.png",,,Color,"Blue, Green",1,Fabric,Cotton,Öko\n'
    "883,variation,tee-b,T-Shirt - Blue,1,0,visible,1,,0,,,18,25,,,https://i.example/b.png,tee,,"
    "Color,Blue,,Fabric,,\n"
    "884,variation,,T-Shirt - Green,1,0,visible,0,,0,,,,25,,,https://i.example/g.png,id:741,,"
    "Color,Green,,Fabric,,\n"
    '745,simple,,Beanie,1,0,visible,1,3,0,,,18,20,"Hats\\, caps > Beanies, Sale",,'
    "https://i.example/beanie.png,,,Color,Red,1,,,\n"
)
GERMAN = (
    "ID,Typ,Artikelnummer,Name,Veröffentlicht,Sichtbarkeit im Katalog,Vorrätig?,Lager,Angebotspreis,"
    "Regulärer Preis,Kategorien,Bilder,Übergeordnetes Produkt,Attribut 1 Name,Attribut 1 Wert(e)\n"
    '1,variable,kleid,Kleid,1,visible,1,,,,Damen > Kleider,https://i.example/k.jpg,,Farbe,"Rot, Blau"\n'
    "2,variation,kleid-r,Kleid - Rot,1,visible,0,,49.95,59.95,,https://i.example/r.jpg,kleid,Farbe,Rot\n"
)
FRENCH = (
    "ID,Type,UGS,Nom,Publié,Visibilité dans le catalogue,En stock ?,Stock,Tarif promo,Tarif régulier,"
    "Catégories,Images,Parent,Nom de l'attribut 1,Valeur(s) de l'attribut 1\n"
    '1,variable,robe,Robe,1,visible,1,,,,Femme > Robes,https://i.example/k.jpg,,Couleur,"Rouge, Bleu"\n'
    "2,variation,robe-r,Robe - Rouge,1,visible,0,,49.95,59.95,,https://i.example/r.jpg,robe,Couleur,Rouge\n"
)
SPANISH = (
    "ID,Tipo,SKU,Nombre,Publicado,Visibilidad en el catálogo,¿Existencias?,Inventario,Precio rebajado,"
    "Precio normal,Categorías,Imágenes,Superior,Nombre del atributo 1,Valor(es) del atributo 1\n"
    '1,variable,v,Vestido,1,visible,1,,,,Mujer > Vestidos,https://i.example/k.jpg,,Color,"Rojo, Azul"\n'
    "2,variation,v-r,Vestido - Rojo,1,visible,0,,49.95,59.95,,https://i.example/r.jpg,v,Color,Rojo\n"
)
DUTCH = (
    "ID,Type,Artikelnummer,Naam,Gepubliceerd,Zichtbaarheid in catalogus,Op voorraad?,Voorraad,Actieprijs,"
    "Reguliere prijs,Categorieën,Afbeeldingen,Hoofd,Naam eigenschap 1,Waarde eigenschap 1\n"
    '1,variable,j,Jurk,1,visible,1,,,,Dames > Jurken,https://i.example/k.jpg,,Kleur,"Rood, Blauw"\n'
    "2,variation,j-r,Jurk - Rood,1,visible,0,,49.95,59.95,,https://i.example/r.jpg,j,Kleur,Rood\n"
)
ITALIAN = (
    "ID,Tipo,SKU,Nome,Pubblicato,Visibilità nel catalogo,In magazzino?,Magazzino,Prezzo in offerta,"
    "Prezzo di listino,Categorie,Immagini,Genitore,Attributo 1 nome,Attributo 1 valore/i\n"
    '1,variable,a,Abito,1,visible,1,,,,Donna > Abiti,https://i.example/k.jpg,,Colore,"Rosso, Blu"\n'
    "2,variation,a-r,Abito - Rosso,1,visible,0,,49.95,59.95,,https://i.example/r.jpg,a,Colore,Rosso\n"
)


def test_variable_variation_and_simple_rows() -> None:
    tee, blue, green, beanie = read(WooCommerce(), HEAD + ROWS)
    assert tee == Item(
        "tee",
        {
            "title": "T-Shirt & more",
            "category": "Clothing > Tshirts",
            "in_stock": True,
            "attributes.tags": ["a", "b"],
            "attributes.brand": "Öko",
            "attributes.color": ["Blue", "Green"],
            "attributes.fabric": "Cotton",
        },
        pictures=(Picture("https://i.example/g.png"), Picture("https://i.example/b.png")),
        names=("id:741",),
        is_shown=True,
    )
    assert blue == Item(
        "tee",
        {},
        Variant("tee-b", {"color": "Blue"}, "18", True),
        (Picture("https://i.example/b.png", {"color": "Blue"}),),
        is_part=True,
    )
    assert (green.key, green.variant) == ("id:741", Variant("884", {"color": "Green"}, "25", False))
    assert beanie.key == "745"
    assert beanie.said == {
        "title": "Beanie",
        "category": "Hats, caps > Beanies",
        "price": "18",
        "attributes.regular_price": "20",
        "in_stock": True,
        "attributes.tags": None,
        "attributes.brand": None,
        "attributes.color": "Red",
    }


def test_variations_are_joined_to_the_product_that_they_name_by_sku_or_by_number() -> None:
    products = join(read(WooCommerce(), HEAD + ROWS))
    assert list(products) == ["tee", "745"]
    assert [variant.id for variant in products["tee"].variants] == ["tee-b", "884"]
    assert products["tee"].said["price"] == "18"
    assert products["tee"].pictures == {
        "https://i.example/g.png": {"color": "Green"},
        "https://i.example/b.png": {"color": "Blue"},
    }


@pytest.mark.parametrize("text", [GERMAN, FRENCH, SPANISH, DUTCH, ITALIAN])
def test_headers_in_other_languages(text: str) -> None:
    assert WooCommerce().rate(open_csv(text)[0]) == 3
    product, variation = read(WooCommerce(), text)
    assert " > " in product.said["category"]
    assert len(product.said["attributes.color"]) == 2
    assert (product.said["in_stock"], product.is_shown) == (True, True)
    assert product.pictures == (Picture("https://i.example/k.jpg"),)
    assert variation.key == product.key
    assert variation.variant is not None
    assert list(variation.variant.options) == ["color"]
    assert (variation.variant.price, variation.variant.in_stock) == ("49.95", False)


@pytest.mark.parametrize(
    ("published", "visibility", "is_shown"),
    [
        ("1", "visible", True),
        ("1", "search", True),
        ("0", "visible", False),
        ("-1", "visible", False),
        ("1", "hidden", False),
    ],
)
def test_private_drafts_and_hidden_products_are_not_shown(
    published: str, visibility: str, is_shown: bool
) -> None:
    head = "ID,Type,Name,Published,Visibility in catalog,Regular price\n"
    (item,) = read(WooCommerce(), f"{head}1,simple,X,{published},{visibility},1\n")
    assert item.is_shown is is_shown


def test_a_variation_that_is_not_published_is_left_out_unless_asked_for() -> None:
    head = "ID,Type,SKU,Name,Published,Regular price,Parent\n9,variation,v,V,0,1,p\n"
    assert read(WooCommerce(), head) == []
    assert [item.key for item in read(WooCommerce(), head, unpublished=True)] == ["p"]


@pytest.mark.parametrize(
    ("flag", "stock", "backorders", "in_stock"),
    [
        ("1", "", "0", True),
        ("0", "5", "0", False),
        ("backorder", "0", "1", True),
        ("", "3", "0", True),
        ("", "0", "notify", True),
        ("", "0", "0", False),
        ("", "", "0", None),
    ],
)
def test_stock(flag: str, stock: str, backorders: str, in_stock: bool | None) -> None:
    head = "ID,Type,Name,In stock?,Stock,Backorders allowed?,Regular price\n"
    (item,) = read(WooCommerce(), f"{head}1,simple,X,{flag},{stock},{backorders},1\n")
    assert item.said["in_stock"] is in_stock


def test_a_sale_of_other_days_does_not_count() -> None:
    head = "ID,Type,Name,Published,Date sale price starts,Date sale price ends,Sale price,Regular price\n"
    over, coming, now = read(
        WooCommerce(),
        head + "1,simple,A,1,2013-06-07,2013-06-08,5,9\n2,simple,B,1,9999-01-01,,5,9\n"
        "3,simple,C,1,2013-06-07,,5,9\n",
    )
    assert [item.said["price"] for item in (over, coming, now)] == ["9", "9", "5"]


def test_an_external_product_has_its_address() -> None:
    head = "ID,Type,SKU,Name,Published,Regular price,External URL,Images\n"
    external, simple = read(
        WooCommerce(), f"{head}1,external,e,E,1,30,https://o.example/e,\n2,simple,s,S,1,3,,\n"
    )
    assert external.said["url"] == "https://o.example/e"
    assert "url" not in simple.said


def test_a_comma_within_a_url_or_after_a_backslash_does_not_separate() -> None:
    head = "ID,Type,SKU,Name,Published,Regular price,Images\n"
    (item,) = read(
        WooCommerce(),
        head + r'1,simple,s,S,1,3,"https://i.example/w_4\,h_3/a.jpg,https://i.example/w_4,h_3/b.jpg, c.jpg"',
    )
    assert [picture.locator for picture in item.pictures] == [
        "https://i.example/w_4,h_3/a.jpg",
        "https://i.example/w_4,h_3/b.jpg",
        "c.jpg",
    ]


def test_rows_that_cannot_be_used() -> None:
    items, bad = items_of(
        WooCommerce(),
        *open_csv("ID,Type,SKU,Name,Published,Parent,Regular price\n9,variation,v,V,1,,1\n,simple,,X,1,,2\n"),
    )
    assert items == []
    assert bad == {
        2: "a variation without the SKU or ID of its product (Parent)",
        3: "neither SKU nor ID",
    }


def test_other_tables_are_not_taken_for_an_export() -> None:
    assert WooCommerce().rate(open_csv("type,name,price,stock\n")[0]) == 0
    assert WooCommerce().rate(open_csv("ID,SKU,Name,Regular price,Parent,Published\n")[0]) == 0


@pytest.mark.data
def test_a_real_export() -> None:
    folder = os.environ.get("STYLESEARCH_TEST_DATA")
    if not folder:
        pytest.skip("STYLESEARCH_TEST_DATA is not set")
    table, rows = open_file(Path(folder) / "exports" / "woocommerce" / "sample_products.csv")
    assert WooCommerce().rate(table) == 3
    items, bad = items_of(WooCommerce(), table, rows)
    products = join(items)
    assert (bad, len(rows), len(products)) == ({}, 24, 15)
    hoodie, tee = products["cc-hoodie"], products["cc-tee"]
    assert hoodie.said["category"] == "Clothing > Hoodies"
    assert hoodie.said["price"] == "42"
    assert [dict(variant.options) for variant in hoodie.variants] == [
        {"color": "Red", "logo": "No"},
        {"color": "Green", "logo": "No"},
        {"color": "Blue", "logo": "No"},
        {"color": "Red", "logo": "Yes"},
        {"color": "Blue", "logo": "Yes"},
        {"color": "Green", "logo": "Yes"},
    ]
    assert sorted(tuple(options.values()) for options in tee.pictures.values()) == [
        ("Blue",),
        ("Green",),
        ("Red",),
    ]
    assert [key for key, product in products.items() if product.is_shown is False] == [
        "cc-hoodie-with-pocket"
    ]
    assert len(products["cc-logo-collection"].pictures) == 4
    assert products["cp-donation"].said["url"] == "https://www.classicpress.net/donate/"
    assert products["cc-album"].said["title"] == "Album"
