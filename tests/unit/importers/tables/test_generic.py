"""What columns are about: by their names in seven languages, or as the user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ColumnsNote, ImportOptions, Listed, Note
from stylesearch.importers.tables.generic import PlainTable
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.importers.tables.items import Table, plain_name
from stylesearch.listing import Listing, Record, Withdrawn
from stylesearch.types import Variant


def read(shop: Path, text: str, **options: object) -> list[Listed]:
    table = shop / "products.csv"
    table.write_text(text, encoding="utf-8")
    listed = TableImporter().records(table, ImportOptions(**options))  # type: ignore[arg-type]
    return [item for item in listed if not isinstance(item, ColumnsNote)]


def records(items: list[Listed]) -> list[Record]:
    found = [item for item in items if isinstance(item, Record)]
    assert len(found) == len(items), items
    return found


def rate(*columns: str) -> int:
    return PlainTable().rate(Table({plain_name(name): name for name in columns}))


LANGUAGES = {
    "English": (
        "SKU",
        "Product Name",
        "Category",
        "Image URL",
        "Price",
        "Sale price",
        "Link",
        "Availability",
    ),
    "German": (
        "Art.-Nr.",
        "Bezeichnung",
        "Warengruppe",
        "Bild",
        "Preis",
        "Angebotspreis",
        "Produkt-URL",
        "Bestand",
    ),
    "French": (
        "Référence",
        "Désignation",
        "Catégorie",
        "Photo",
        "Prix TTC",
        "Prix soldé",
        "Lien",
        "Disponibilité",
    ),
    "Spanish": (
        "Código",
        "Nombre",
        "Categoría",
        "Imagen",
        "Precio",
        "Precio rebajado",
        "Enlace",
        "Existencias",
    ),
    "Italian": (
        "Codice articolo",
        "Nome",
        "Categoria",
        "Immagine",
        "Prezzo",
        "Prezzo scontato",
        "URL",
        "Giacenza",
    ),
    "Dutch": ("Artikelnummer", "Naam", "Categorie", "Afbeelding", "Prijs", "Actieprijs", "Link", "Voorraad"),
    "Chinese": ("货号", "商品名称", "分类", "主图", "价格", "促销价", "链接", "库存"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("change", [str, str.upper, lambda name: name.replace(" ", "_").lower()])
def test_columns_are_known_in_seven_languages(shop: Path, language: str, change: type[str]) -> None:
    header = ";".join(change(name) for name in LANGUAGES[language])
    (record,) = records(
        read(shop, f"{header}\n7;Dress;Women > Dresses;a.jpg;29,90;19,90;https://s.example/7;3\n")
    )
    assert record.product == Listing(
        "7",
        {
            "title": "Dress",
            "category": "Women > Dresses",
            "price": "19,90",
            "attributes.regular_price": "29,90",
            "url": "https://s.example/7",
            "in_stock": True,
        },
        {"title": "7"},
    )


@pytest.mark.parametrize(
    "header",
    [
        "id,image,image2",
        "id,image_1,image_2",
        "id,Image 1 URL,Image 2 URL",
        "id,image,additional images",
        "id,Bild,Bilder",
        "id,Bild1,Bild2",
        "id,Hauptbild,weitere Bilder",
        "id,image principale,images supplémentaires",
        "id,imagen,imágenes adicionales",
        "id,immagine,altre immagini",
        "id,afbeelding,extra afbeeldingen",
        "id,主图,附图",
    ],
)
def test_several_columns_have_pictures(shop: Path, header: str) -> None:
    found = records(read(shop, f"{header}\n1,a.jpg,b.jpg\n"))
    assert [Path(r.path).name for r in found] == ["a.jpg", "b.jpg"]
    assert found[0].product.said == {}


def test_a_cell_may_have_several_pictures(shop: Path) -> None:
    found = records(read(shop, 'id,image,images\n1,a.jpg,"img/c.jpg, b.jpg"\n2,"[""a.jpg"", ""b.jpg""]",\n'))
    assert [(r.product.id, Path(r.path).name) for r in found] == [
        ("1", "a.jpg"),
        ("1", "c.jpg"),
        ("1", "b.jpg"),
        ("2", "a.jpg"),
        ("2", "b.jpg"),
    ]


@pytest.mark.parametrize(
    ("header", "row", "price"),
    [
        ("id,image,price,currency", "1,a.jpg,19.90,EUR", "19.90 EUR"),
        ("id,image,price,currency", "1,a.jpg,$19.90,USD", "$19.90"),
        ("id,image,price,currency", "1,a.jpg,,EUR", None),
        ("id,image,Preis (EUR)", '1,a.jpg,"1.299,00"', "1.299,00 EUR"),
        ("id,image,price in €", "1,a.jpg,5", "5 €"),
        ("id,image,price_usd", "1,a.jpg,5", "5 USD"),
        ("id,image,price", "1,a.jpg,19.90 EUR", "19.90 EUR"),
        ("id,image,sale price", "1,a.jpg,7", "7"),
        ("id,image,price,sale price", "1,a.jpg,7,9", "7"),
        ("id,image,price,sale price", "1,a.jpg,7,", "7"),
    ],
)
def test_prices_have_their_currency(shop: Path, header: str, row: str, price: str | None) -> None:
    (record,) = records(read(shop, f"{header}\n{row}\n"))
    assert record.product.said["price"] == price


def test_a_stock_that_cannot_be_read_is_an_attribute(shop: Path) -> None:
    record, note = read(shop, "id,image,Stock\n1,a.jpg,ask us\n")
    assert isinstance(record, Record)
    assert note == Note("1 stock text could not be read, first: 'ask us' (line 2)")
    assert record.product.said == {"in_stock": None, "attributes.Stock": "ask us"}


GROUPED = """sku,parent sku,title,image,price,stock,colour,size,material
d-ns,d,Dress,a.jpg,30,0,Navy,S,silk
e,,Skirt,b.jpg,5,1,Red,M,wool
d-nm,d,Dress,a.jpg,29,2,Navy,M,silk
d-ss,d,Dress,b.jpg,31,1,Sand,S,silk
d,,The dress,img/c.jpg,,,,,
"""


def test_rows_of_one_group_are_variants_of_one_product(shop: Path) -> None:
    found = records(read(shop, GROUPED))
    assert [(r.product.id, Path(r.path).name, dict(r.options)) for r in found] == [
        ("d", "a.jpg", {"color": "Navy"}),
        ("d", "b.jpg", {"color": "Sand"}),
        ("d", "c.jpg", {}),
        ("e", "b.jpg", {}),
    ]
    assert found[0].product.said == {
        "title": "The dress",
        "price": "29",
        "in_stock": True,
        "variants": (
            Variant("d-ns", {"color": "Navy", "size": "S"}, "30", False),
            Variant("d-nm", {"color": "Navy", "size": "M"}, "29", True),
            Variant("d-ss", {"color": "Sand", "size": "S"}, "31", True),
        ),
        "attributes.material": "silk",
        "attributes.colour": None,
        "attributes.size": None,
    }
    assert found[3].product.said == {
        "title": "Skirt",
        "price": "5",
        "in_stock": True,
        "attributes.colour": "Red",
        "attributes.size": "M",
        "attributes.material": "wool",
    }


def test_variants_may_be_products_of_their_own(shop: Path) -> None:
    found = records(read(shop, GROUPED, variants="separate"))
    assert [r.product.id for r in found] == ["d-ns", "d-nm", "d-ss", "e"]
    assert found[1].product.said["title"] == "The dress, Navy, M"


def test_rows_of_a_group_without_ids_are_variants_by_their_color(shop: Path) -> None:
    found = records(read(shop, "style id,colour,image\nm,black,a.jpg\nm,gray,b.jpg\nm,black,img/c.jpg\n"))
    assert [(r.product.id, dict(r.options)) for r in found] == [
        ("m", {"color": "black"}),
        ("m", {"color": "gray"}),
        ("m", {"color": "black"}),
    ]
    assert found[0].product.said == {
        "variants": (Variant("", {"color": "black"}), Variant("", {"color": "gray"})),
    }


def test_a_group_without_ids_and_options_is_the_id(shop: Path) -> None:
    found = records(read(shop, "style id,image,view\nm,a.jpg,front\nm,b.jpg,back\n"))
    assert [r.product for r in found] == [Listing("m", {"attributes.view": "front"}, {"title": "m"})] * 2


def test_without_a_group_colors_and_sizes_are_attributes(shop: Path) -> None:
    (record,) = records(read(shop, "id,image,Farbe,Größe\n1,a.jpg,blau,M\n"))
    assert record.product.said == {"attributes.Farbe": "blau", "attributes.Größe": "M"}


def test_the_user_says_which_columns_are_meant(shop: Path) -> None:
    (record,) = records(
        read(
            shop,
            "style,colour,name,Was es ist,Datei A,Datei B,brand,line\n"
            "mh01,black,no,Hoodie,a.jpg,b.jpg,X,men\n",
            columns={
                "id": "style+colour",
                "title": "Was es ist",
                "image": "datei_a",
                "category": "line+brand",
                "attributes.Other": "Datei B",
            },
        )
    )
    assert record.path == str(shop / "a.jpg")
    assert record.product == Listing(
        "mh01-black",
        {
            "title": "Hoodie",
            "category": "men > X",
            "attributes.style": "mh01",
            "attributes.colour": "black",
            "attributes.name": "no",
            "attributes.brand": "X",
            "attributes.line": "men",
            "attributes.Other": "b.jpg",
        },
        {"title": "mh01-black"},
    )


def test_chosen_columns_of_pictures_are_all_read_and_no_others(shop: Path) -> None:
    found = records(read(shop, "id,image,x,y\n1,missing.jpg,a.jpg,b.jpg\n", columns={"image": "x+y"}))
    assert [Path(r.path).name for r in found] == ["a.jpg", "b.jpg"]


def test_a_column_whose_name_has_a_plus_is_that_column(shop: Path) -> None:
    (record,) = records(read(shop, "id,a+b,image\n1,Both,a.jpg\n", columns={"title": "A+B"}))
    assert record.product.said == {"title": "Both"}


def test_fields_may_be_named_as_columns_are(shop: Path) -> None:
    (record,) = records(read(shop, "x,y,z\n1,a.jpg,T\n", columns={"sku": "x", "Bild": "y", "titel": "z"}))
    assert (record.product.id, record.product.said) == ("1", {"title": "T"})


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        (
            {"title": "Bezeichnun"},
            r"no column 'Bezeichnun'. Did you mean 'Bezeichnung'\?",
            "id, Bezeichnung, Bild",
        ),
        ({"id": "id+colour"}, "the table has no column 'colour'", "its columns are id, Bezeichnung"),
        ({"titl": "Bezeichnung"}, "a table has no field 'titl'", "fields are id, title, category"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(
    shop: Path, columns: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        read(shop, "id,Bezeichnung,Bild\n1,x,a.jpg\n", columns=columns)
    assert hint in caught.value.hint


def test_a_row_without_all_parts_of_its_id_has_those_that_there_are(shop: Path) -> None:
    items = read(shop, "style,colour,image\nm,,a.jpg\n,,b.jpg\n", columns={"id": "style+colour"})
    assert [getattr(item, "reason", "") for item in items] == ["no id given", ""]
    assert isinstance(items[1], Record)
    assert items[1].product.id == "m"


def test_the_apostrophe_of_spreadsheets_is_no_part_of_an_id(shop: Path) -> None:
    found = records(read(shop, "id,image\n'00123,a.jpg\n'x,b.jpg\n"))
    assert [r.product.id for r in found] == ["00123", "'x"]


def test_a_table_is_rated_by_its_columns() -> None:
    assert rate("id", "image") == rate("Bild", "x") == 2
    assert rate("sku", "price") == 1
    assert rate("sku", "x") == rate("title", "price") == rate("foo") == 0


def test_ids_and_categories_that_differ_in_unicode_form_are_equal(shop: Path) -> None:
    found = records(read(shop, "id,image,category\nro\u0308ck,a.jpg,Ro\u0308cke\nröck,b.jpg,Röcke\n"))
    assert [(r.product.id, r.product.said["category"]) for r in found] == [("röck", "Röcke")] * 2


@pytest.mark.parametrize(
    ("header", "row", "id", "title"),
    [
        ("Artikel;Preis;Bild", "A1;5;a.jpg", "A1", None),
        ("Artikel;Bezeichnung;Bild", "A1;Kleid;a.jpg", "A1", "Kleid"),
        ("Artikelnr;Artikel;Bild", "A1;Kleid;a.jpg", "A1", "Kleid"),
        ("EAN;Artikelnr;Name;Bild", "4006381333931;A1;Kleid;a.jpg", "A1", "Kleid"),
        ("GTIN;Art.-Nr.;Name;Bild", "4006381333931;A1;Kleid;a.jpg", "A1", "Kleid"),
        ("EAN;Artikel;Bild", "4006381333931;Kleid;a.jpg", "4006381333931", "Kleid"),
    ],
)
def test_the_best_column_is_that_of_the_ids(
    shop: Path, header: str, row: str, id: str, title: str | None
) -> None:
    (record,) = records(read(shop, f"{header}\n{row}\n"))
    assert record.product.id == id
    assert record.product.said.get("title") == title


@pytest.mark.parametrize("column", ["Aktiv", "active", "Published", "STATUS", "sichtbar", "online"])
def test_products_that_the_shop_does_not_show_are_left_out(shop: Path, column: str) -> None:
    text = f"id,image,{column}\n1,a.jpg,1\n2,a.jpg,draft\n3,b.jpg,nein\n4,b.jpg,\n5,b.jpg,Archiviert\n"
    *found, note = read(shop, text)
    assert [one for one in found if isinstance(one, Withdrawn)] == [Withdrawn(name) for name in "235"]
    listed = records([one for one in found if not isinstance(one, Withdrawn)])
    assert [(one.product.id, dict(one.product.said)) for one in listed] == [("1", {}), ("4", {})]
    assert note == Note("3 products are left out: not shown to customers (--with-unpublished takes them in)")
    assert len(records(read(shop, text, unpublished=True))) == 5


def test_a_status_that_says_something_else_is_an_attribute(shop: Path) -> None:
    (record,) = records(read(shop, "id,image,Status\n1,a.jpg,new arrival\n"))
    assert record.product.said == {"attributes.Status": "new arrival"}


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (
            "Artikelnr;Bezeichnung;Bild;Bild 2;Stoff;Farbe",
            "id = Artikelnr, title = Bezeichnung, image = Bild + Bild 2; attributes: Stoff, Farbe",
        ),
        (
            "sku;parent sku;image;Farbe",
            "id = sku, image = image, group = parent sku, color = Farbe; attributes: none",
        ),
        (
            "Stand: heute;;\n\nsku;image;price",
            "header in line 3: id = sku, image = image, price = price; attributes: none",
        ),
    ],
)
def test_a_note_says_which_column_became_which_field(shop: Path, header: str, text: str) -> None:
    (shop / "products.csv").write_text(f"{header}\n1;a.jpg;2;3;4;5\n")
    note = next(TableImporter().records(shop / "products.csv", ImportOptions()))
    assert note == ColumnsNote(text)


def test_rows_of_one_id_that_differ_without_a_group_are_told_once(shop: Path) -> None:
    rows = "".join(
        f"{id};a.jpg;{size};{price}\n"
        for id, size, price in [
            ("W501", "32/34", "5"),
            ("W501", "34/34", "6"),
            ("W502", "", "5"),
            ("W503", "S", "5"),
            ("W502", "M", "5"),
            ("W503", "L", "5"),
        ]
    )
    text = f"Artikelnr;Bild;Größe;Preis\n{rows}"
    *found, note = read(shop, text)
    assert [one.product.id for one in records(found)] == ["W501", "W502", "W503"]
    assert note == Note(
        "2 products have rows that differ in Größe, Preis, first: 'W501' (lines 2 and 3); the first row "
        "counts: if the rows are variants, give --map group=Artikelnr,id=Artikelnr+Größe, where the id is "
        "what tells them apart"
    )
    grouped = records(read(shop, text, columns={"group": "Artikelnr", "id": "Artikelnr+Größe"}))
    assert [one.id for one in grouped[0].product.said["variants"]] == ["W501-32/34", "W501-34/34"]


def test_rows_of_one_id_that_differ_in_the_price_alone_need_another_column(shop: Path) -> None:
    *_, note = read(shop, "sku;image;price\n1;a.jpg;5\n1;b.jpg;6\n")
    assert isinstance(note, Note)
    assert "--map group=sku,id=COLUMN" in note.text
