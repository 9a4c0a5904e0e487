// The grid of products: cards, the grey shapes that stand in for them while they are on their way.

import { linked } from "./api.js";
import { addressOf } from "./address.js";
import { byId, isPlainClick, make, unseen } from "./elements.js";
import { facts } from "./facts.js";

/** Pictures that are asked for at once; the others when they are about to be seen. */
const EAGER = 8;
/** Seconds after which a picture that did not come is asked for again: a busy service turns away pictures too. */
const AGAIN_AFTER = [2, 6];

/** A similarity between 0 and 1 as customers read it. Only what is the very same reads 100 %. */
export function percent(similarity) {
  const rounded = Math.round(100 * similarity);
  return `${rounded === 100 && similarity < 0.9995 ? 99 : rounded} %`;
}

/**
 * @param {object[]} entries {product, image, similarity?, region?}
 * @param {object} state of the page, for the addresses of "more like this"
 * @param {{like: (product) => void, point: (region: ?number[]) => void}} on
 * @param {boolean} [further] behind what is there
 */
export function showProducts(entries, state, on, further = false) {
  const grid = byId("grid");
  const cards = entries.map((entry, number) => card(entry, state, on, !further && number < EAGER));
  if (further) grid.append(...cards);
  else grid.replaceChildren(...cards);
  grid.hidden = grid.children.length === 0;
}

export function showSkeletons(number) {
  const grid = byId("grid");
  const shape = () =>
    make("li", { class: "card skeleton", "aria-hidden": "true" },
      make("div", { class: "frame" }), make("span", { class: "line" }), make("span", { class: "line short" }));
  grid.hidden = false;
  grid.replaceChildren(...Array.from({ length: number }, shape));
}

export function clearProducts() {
  byId("grid").replaceChildren();
  byId("grid").hidden = true;
}

function card({ product, image, similarity, region }, state, on, isEager) {
  const likes = make(
    "a",
    { class: "like", href: addressOf({ ...state, category: null, where: [], similar: product.id }) },
    "More like this", unseen(`: ${product.title}`),
  );
  likes.addEventListener("click", (event) => {
    if (!isPlainClick(event)) return; // another tab gets the address
    event.preventDefault();
    on.like(product);
  });
  const one = make("li", { class: "card", "data-product": product.id },
    make("div", { class: "frame" }, picture(image, isEager), ...badge(similarity)),
    make("h3", {}, title(product)),
    make("p", { class: "facts" }, ...facts(product, image)),
    likes,
  );
  if (region) {
    // Where in the photo this was found, outlined there while the card is looked at.
    for (const event of ["pointerenter", "focusin"]) one.addEventListener(event, () => on.point(region));
    for (const event of ["pointerleave", "focusout"]) one.addEventListener(event, () => on.point(null));
  }
  return one;
}

/** Without a link the title is only a title. */
function title(product) {
  const words = product.title || product.id;
  if (!product.url) return document.createTextNode(words);
  return make(
    "a",
    { class: "buy", href: product.url, target: "_blank", rel: "noopener noreferrer" },
    words, make("span", { class: "away", "aria-hidden": "true", text: "\u2197" }), unseen(" (the shop's page, in a new tab)"),
  );
}

function picture(image, isEager) {
  if (!image) return make("span", { class: "no-picture", text: "No picture" });
  const thumbnail = linked(image.links.thumbnail);
  const shown = make("img", {
    src: shownAddress(image), width: image.width, height: image.height, alt: "",
    loading: isEager ? "eager" : "lazy", decoding: "async",
  });
  const missing = make("span", { class: "no-picture", text: "No picture" });
  const waits = [...AGAIN_AFTER];
  shown.addEventListener("load", () => {
    missing.remove();
    shown.hidden = false;
  });
  shown.addEventListener("error", () => {
    if (shown.src !== thumbnail) {
      shown.src = thumbnail; // the shop's own server does not give it: ours may
      return;
    }
    // Said at once, as it may be gone for good: the product itself is still there.
    shown.after(missing);
    shown.hidden = true;
    const wait = waits.shift();
    if (wait === undefined) {
      shown.remove();
      return;
    }
    // Of many pictures not all at the same moment.
    setTimeout(() => {
      if (!shown.isConnected) return;
      shown.loading = "eager"; // what is hidden is never about to be seen
      shown.src = thumbnail;
    }, 1000 * wait * (1 + Math.random() / 2));
  });
  return shown;
}

/** The address of a picture: a link of ours, or the shop's own. */
function shownAddress(image) {
  const shown = image.links.shown ?? image.links.thumbnail;
  return /^https?:/.test(shown) ? shown : linked(shown);
}

function badge(similarity) {
  if (similarity === undefined) return [];
  return [make("span", { class: "match", text: `${percent(similarity)} similar` })];
}
