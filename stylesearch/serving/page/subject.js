// What is searched with: the panel of the photo, or that of a product.

import { linked } from "./api.js";
import { readable } from "./categories.js";
import { CropBox } from "./crop.js";
import { byId, make } from "./elements.js";

const DRAW = "Drag over the photo to search for one part of it.";
const TOUCH = "Mark a part to search for just that.";
const ADJUST = "Drag the box or its corners. With keys: arrows move it, Shift and arrows change its size.";
const ADJUST_BY_TOUCH = "Drag the box or its corners.";
const UNSEEN = "There is no preview: this browser cannot show this kind of file.";

export class PhotoPanel {
  #crop = new CropBox();
  #photo = null;

  /** @param {(box: ?number[]) => void} onBox called when a box is drawn, adjusted or cleared for good */
  constructor(onBox) {
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

  show(photo, box) {
    byId("photo-panel").hidden = !photo;
    if (!photo) return;
    if (photo !== this.#photo) {
      this.#photo = photo;
      if (photo.isShown) byId("photo").src = photo.url;
      else byId("photo").removeAttribute("src");
    }
    byId("stage").hidden = !photo.isShown;
    if (photo.isShown) byId("stage").style.setProperty("--ratio", String(photo.width / photo.height));
    const same = String(this.#crop.box) === String(box);
    if (!same || !this.#crop.box) this.#crop.show(photo.isShown ? photo : null, box);
    this.#dress();
  }

  /** Outlines where in the photo something was found. */
  outline(region) {
    this.#crop.outline(region);
  }

  #dress() {
    const { isShown } = this.#photo;
    const hasBox = Boolean(this.#crop.box);
    const finger = matchMedia("(pointer: coarse)").matches;
    byId("mark").hidden = hasBox || !isShown;
    byId("clear").hidden = !hasBox;
    const hint = hasBox ? [ADJUST, ADJUST_BY_TOUCH] : [DRAW, TOUCH];
    byId("crop-hint").textContent = isShown ? hint[Number(finger)] : UNSEEN;
  }
}

/** @param {?object} product with `images`; null hides the panel */
export function showProductPanel(product, hasPhoto) {
  byId("product-panel").hidden = !product;
  if (!product) return;
  byId("back-to-photo").hidden = !hasPhoto;
  byId("product-title").textContent = product.title || product.id;
  byId("product-facts").replaceChildren(
    ...(product.price ? [make("span", { class: "price", text: product.price })] : []),
    make("span", { class: "category", text: readable(product.category) }),
  );
  const link = byId("product-link");
  link.hidden = !product.url;
  if (product.url) link.href = product.url;
  const [image] = product.images ?? [];
  const picture = byId("product-image");
  picture.hidden = !image;
  if (image) picture.src = linked(image.links.thumbnail);
}
