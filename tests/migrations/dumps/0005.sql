BEGIN TRANSACTION;
CREATE TABLE about (
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	CONSTRAINT pk_about PRIMARY KEY (name)
);
INSERT INTO "about" VALUES('needs_stylesearch','0.3.0');
INSERT INTO "about" VALUES('catalog_id','00c0ffee00c0ffee');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE artifact_parts (
	kind VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	position INTEGER NOT NULL, 
	content BLOB NOT NULL, 
	CONSTRAINT pk_artifact_parts PRIMARY KEY (kind, name, sha256, position), 
	CONSTRAINT fk_artifact_parts_kind FOREIGN KEY(kind, name) REFERENCES artifacts (kind, name) ON DELETE CASCADE
);
CREATE TABLE artifacts (
	kind VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	files JSON NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (kind, name)
);
CREATE TABLE category_map (
	shop_category VARCHAR NOT NULL, 
	category VARCHAR NOT NULL, 
	CONSTRAINT pk_category_map PRIMARY KEY (shop_category)
);
CREATE TABLE counters (
	name VARCHAR NOT NULL, 
	value BIGINT NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (name)
);
CREATE TABLE feature_sets (
	pk INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	extractor VARCHAR NOT NULL, 
	parameters JSON NOT NULL, 
	weights_digest VARCHAR NOT NULL, 
	dim INTEGER NOT NULL, 
	dtype VARCHAR NOT NULL, 
	CONSTRAINT pk_feature_sets PRIMARY KEY (pk), 
	CONSTRAINT uq_feature_sets_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "feature_sets" VALUES(1,'f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1','efficientnet-lite0','{"input_size": 224}','d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1',4,'float16');
INSERT INTO "feature_sets" VALUES(2,'f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2','custom','{}','d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2',2,'float32');
CREATE TABLE features (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	feature_set_pk INTEGER NOT NULL, 
	image_pk INTEGER NOT NULL, 
	domain VARCHAR NOT NULL, 
	category VARCHAR NOT NULL, 
	vector BLOB NOT NULL, checksum BIGINT DEFAULT '-1' NOT NULL, 
	CONSTRAINT fk_features_feature_set_pk FOREIGN KEY(feature_set_pk) REFERENCES feature_sets (pk) ON DELETE CASCADE, 
	CONSTRAINT fk_features_image_pk FOREIGN KEY(image_pk) REFERENCES images (pk) ON DELETE CASCADE, 
	CONSTRAINT uq_features_image_pk_feature_set_pk UNIQUE (image_pk, feature_set_pk)
);
INSERT INTO "features" VALUES(2,1,2,'shop','dress',X'00000038003C0040',2950590794);
INSERT INTO "features" VALUES(3,1,3,'consumer','dress',X'0000404000247449000000000000803F',649917586);
INSERT INTO "features" VALUES(4,1,4,'shop','dress',X'00000038003C0040',2950590794);
INSERT INTO "features" VALUES(5,2,2,'shop','dress',X'CDCCCC3D000000C0',734206008);
CREATE TABLE image_listings (
	image_pk INTEGER NOT NULL, 
	source_pk INTEGER NOT NULL, 
	CONSTRAINT pk_image_listings PRIMARY KEY (image_pk, source_pk), 
	CONSTRAINT fk_image_listings_image_pk FOREIGN KEY(image_pk) REFERENCES images (pk) ON DELETE CASCADE, 
	CONSTRAINT fk_image_listings_source_pk FOREIGN KEY(source_pk) REFERENCES sources (pk) ON DELETE CASCADE
);
INSERT INTO "image_listings" VALUES(2,1);
INSERT INTO "image_listings" VALUES(3,1);
INSERT INTO "image_listings" VALUES(4,1);
INSERT INTO "image_listings" VALUES(5,1);
CREATE TABLE images (
	pk INTEGER NOT NULL, 
	product_pk INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	sha256 VARCHAR, 
	domain VARCHAR NOT NULL, 
	box VARCHAR, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	state VARCHAR NOT NULL, 
	error VARCHAR, 
	stat_key VARCHAR, 
	file VARCHAR, options JSON, position INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_images PRIMARY KEY (pk), 
	CONSTRAINT fk_images_product_pk FOREIGN KEY(product_pk) REFERENCES products (pk) ON DELETE CASCADE, 
	CONSTRAINT uq_images_product_pk_path UNIQUE (product_pk, path)
);
INSERT INTO "images" VALUES(2,1,'/shop/dress/red/1.jpg','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','shop',NULL,600,800,'ok',NULL,'1-2-3-4',NULL,NULL,0);
INSERT INTO "images" VALUES(3,1,'/street/100% straße.jpg','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','consumer','10,20,110,220',1200,1600,'ok',NULL,NULL,NULL,NULL,0);
INSERT INTO "images" VALUES(4,2,'/shop/dress/blue.jpg','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','shop',NULL,600,800,'ok',NULL,NULL,NULL,NULL,0);
INSERT INTO "images" VALUES(5,3,'/shop/skirt/pleated.jpg','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','shop',NULL,0,0,'failed','not an image',NULL,NULL,NULL,0);
CREATE TABLE listings (
	product_pk INTEGER NOT NULL, 
	source_pk INTEGER NOT NULL, 
	place VARCHAR NOT NULL, 
	said JSON NOT NULL, 
	guesses JSON NOT NULL, 
	lists BOOLEAN DEFAULT 1 NOT NULL, 
	CONSTRAINT pk_listings PRIMARY KEY (product_pk, source_pk), 
	CONSTRAINT fk_listings_product_pk FOREIGN KEY(product_pk) REFERENCES products (pk) ON DELETE CASCADE, 
	CONSTRAINT fk_listings_source_pk FOREIGN KEY(source_pk) REFERENCES sources (pk) ON DELETE CASCADE
);
INSERT INTO "listings" VALUES(1,1,'','{"title": "Red dress", "category": "dress", "url": "https://shop.example/red", "price": "19.90 EUR", "attributes.size": ["S", "M"], "attributes.gr\u00f6\u00dfe": "klein"}','{}',1);
INSERT INTO "listings" VALUES(2,1,'','{"title": "Blue ''evening'' dress", "category": "dress"}','{}',1);
INSERT INTO "listings" VALUES(3,1,'','{"title": "Pleated skirt", "category": "skirt"}','{}',1);
CREATE TABLE product_values (
	product_pk INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	number FLOAT, 
	label VARCHAR NOT NULL, 
	CONSTRAINT pk_product_values PRIMARY KEY (product_pk, name, value), 
	CONSTRAINT fk_product_values_product_pk FOREIGN KEY(product_pk) REFERENCES products (pk) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "product_values" VALUES(1,'size','klein',NULL,'klein');
INSERT INTO "product_values" VALUES(1,'size','m',NULL,'M');
INSERT INTO "product_values" VALUES(1,'size','s',NULL,'S');
CREATE TABLE products (
	pk INTEGER NOT NULL, 
	id VARCHAR NOT NULL, 
	title VARCHAR NOT NULL, 
	category VARCHAR NOT NULL, 
	url VARCHAR, 
	price VARCHAR, 
	attributes JSON NOT NULL, in_stock BOOLEAN, variants JSON DEFAULT '[]' NOT NULL, amount FLOAT, amount_max FLOAT, currency VARCHAR, shop_category VARCHAR DEFAULT '' NOT NULL, 
	CONSTRAINT pk_products PRIMARY KEY (pk), 
	CONSTRAINT uq_products_id UNIQUE (id)
);
INSERT INTO "products" VALUES(1,'red','Red dress','dress','https://shop.example/red','19.90 EUR','{"size": ["S", "M"], "gr\u00f6\u00dfe": "klein"}',NULL,'[]',19.9,19.9,'EUR','dress');
INSERT INTO "products" VALUES(2,'blue','Blue ''evening'' dress','dress',NULL,NULL,'{}',NULL,'[]',NULL,NULL,NULL,'dress');
INSERT INTO "products" VALUES(3,'pleated','Pleated skirt','skirt',NULL,NULL,'{}',NULL,'[]',NULL,NULL,NULL,'skirt');
CREATE TABLE shown_counts (
	category VARCHAR NOT NULL, 
	n_products INTEGER NOT NULL, 
	CONSTRAINT pk_shown_counts PRIMARY KEY (category)
);
INSERT INTO "shown_counts" VALUES('dress',2);
CREATE TABLE sources (
	pk INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	format VARCHAR NOT NULL, 
	options JSON NOT NULL, 
	run INTEGER NOT NULL, 
	ingested_at VARCHAR, 
	CONSTRAINT pk_sources PRIMARY KEY (pk), 
	CONSTRAINT uq_sources_name UNIQUE (name)
);
INSERT INTO "sources" VALUES(1,'/shop','','/shop','{}',1,NULL);
CREATE INDEX ix_products_category_id ON products (category, id);
CREATE INDEX ix_images_sha256_state ON images (sha256, state);
CREATE INDEX ix_images_state ON images (state);
CREATE INDEX ix_features_feature_set_pk_domain_category_id ON features (feature_set_pk, domain, category, id);
CREATE INDEX ix_features_feature_set_pk_domain_id ON features (feature_set_pk, domain, id);
CREATE INDEX ix_listings_source_pk_place ON listings (source_pk, place);
CREATE INDEX ix_image_listings_source_pk_image_pk ON image_listings (source_pk, image_pk);
CREATE INDEX ix_products_shop_category ON products (shop_category);
CREATE INDEX ix_product_values_name_value_product_pk ON product_values (name, value, product_pk);
CREATE INDEX ix_product_values_name_number_product_pk ON product_values (name, number, product_pk);
CREATE INDEX ix_products_amount_amount_max_in_stock ON products (amount, amount_max, in_stock);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('features',5);
COMMIT;
