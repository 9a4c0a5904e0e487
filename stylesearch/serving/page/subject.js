// What is searched with: the panel of the photo, or that of a product.

import { linked } from "./api.js";
import { CropBox } from "./crop.js";
import { byId } from "./elements.js";
import { facts } from "./facts.js";
import { SpotLayer, inWords, nameOf, spotOf } from "./spots.js";

const DRAW = "Drag over the photo to search for one part of it.";
const TOUCH = "Mark a part to search for just that.";
const PRESS = "Click a garment to search for it, or drag over the photo to mark a part.";
const TAP = "Tap a garment to search for just that.";
const ADJUST = "Drag the box or its corners. With keys: arrows move it, Shift and arrows change its size.";
const ADJUST_BY_TOUCH = "Drag the box or its corners.";
const UNSEEN = "There is no preview: this browser cannot show this kind of file.";

export class PhotoPanel {
  #crop = new CropBox();
  #spots;
  #photo = null;
  #region = null;

  /**
   * @param {(box: ?number[]) => void} onBox called when a box is drawn, adjusted or cleared for good
   * @param {(region: ?number) => void} onRegion called with the number of a spot that is to be searched for; null
   *   for that which is searched for by itself
   */
  constructor(onBox, onRegion) {
    this.#spots = new SpotLayer(({ number }) => {
      const region = number === this.#usual()?.number ? null : number;
      if (region !== this.#region) onRegion(region);
    });
    this.#crop.addEventListener("change", ({ detail }) => {
      this.#dress();
      if (detail.isFinal) onBox(detail.box);
    });
    byId("mark").addEventListener("click", () => this.#crop.begin());
    byId("clear").addEventListener("click", () => {
      byId("mark").hidden = false;
      byId("mark").focus();
      this.#crop.clear();
    });
  }

  show(photo, box, region) {
    byId("photo-panel").hidden = !photo;
    if (!photo) return;
    this.#region = region;
    if (photo !== this.#photo) {
      this.#photo = photo;
      byId("looks-like").hidden = true;
      if (photo.isShown) byId("photo").src = photo.url;
      else byId("photo").removeAttribute("src");
    }
    byId("stage").hidden = !photo.isShown;
    if (photo.isShown) byId("stage").style.setProperty("--ratio", String(photo.width / photo.height));
    const same = String(this.#crop.box) === String(box);
    if (!same || !this.#crop.box) this.#crop.show(photo.isShown ? photo : null, box);
    this.#dress();
  }

  /** Shows what has become known of the photo: its spots, or what a search saw in it. */
  tell(seen = null) {
    if (seen) {
      const words = inWords(seen);
      byId("looks-like").hidden = !words;
      byId("looks-like-what").textContent = words;
    }
    this.#dress();
  }

  announceSpots() {
    this.#spots.announce();
  }

  /** The name of the spot that is searched for; null where it is none that somebody chose. */
  get chosen() {
    const spots = this.#photo?.spots ?? [];
    const spot = spots.find(({ number }) => number === this.#region);
    return spot ? nameOf(spot, spots) : null;
  }

  /** Outlines where in the photo something was found. */
  outline(region) {
    this.#crop.outline(region);
  }

  /** The spot that stands for a search without a region. */
  #usual() {
    return spotOf(this.#photo.seen, this.#photo.spots ?? []);
  }

  #dress() {
    const { isShown } = this.#photo;
    const spots = (isShown && this.#photo.spots) || [];
    this.#spots.show(spots, this.#photo);
    this.#spots.press(this.#region ?? this.#usual()?.number ?? null);
    this.#spots.hidden = Boolean(this.#crop.box);
    const hasBox = Boolean(this.#crop.box);
    const finger = matchMedia("(pointer: coarse)").matches;
    byId("mark").hidden = hasBox || !isShown;
    byId("clear").hidden = !hasBox;
    const hint = hasBox ? [ADJUST, ADJUST_BY_TOUCH] : spots.length > 1 ? [PRESS, TAP] : [DRAW, TOUCH];
    byId("crop-hint").textContent = isShown ? hint[Number(finger)] : UNSEEN;
  }
}

/** @param {?object} product with `images`; null hides the panel */
export function showProductPanel(product, hasPhoto) {
  byId("product-panel").hidden = !product;
  if (!product) return;
  byId("back-to-photo").hidden = !hasPhoto;
  byId("product-title").textContent = product.title || product.id;
  byId("product-facts").replaceChildren(...facts(product, product.images?.[0]));
  const link = byId("product-link");
  link.hidden = !product.url;
  if (product.url) link.href = product.url;
  const [image] = product.images ?? [];
  const picture = byId("product-image");
  picture.hidden = !image;
  picture.onerror = () => {
    picture.hidden = true; // gone since it was indexed
  };
  if (image) picture.src = linked(image.links.thumbnail);
}
