// The spots of a photo: what was found in it, each outlined and named, to be searched for by itself.

import { announce, byId, make } from "./elements.js";

const REGIONS = { torso: "Upper body", legs: "Legs", body: "Whole figure", whole: "Whole photo" };
const KINDS = {
  "t-shirt": "T-shirt", shirt: "Shirt", longsleeve: "Long-sleeved top", outwear: "Jacket or coat", dress: "Dress",
  skirt: "Skirt", pants: "Trousers", shorts: "Shorts", shoes: "Shoes", hat: "Hat",
};
const NO_GARMENT = "not a garment";
/** Below this a kind is a guess, and the part of the person is named instead. */
const SURE = 0.4;

/** A kind of garment as customers read it; null for none, and for one that is only a guess. */
function kindOf({ kind, confidence }) {
  if (kind === null || confidence < SURE || kind === NO_GARMENT) return null;
  return KINDS[kind] ?? kind;
}

/** What was seen in a photo, in words: the likeliest garment; "" where nothing is known. */
export function inWords(seen) {
  const sure = seen.filter(({ confidence }) => confidence !== null && confidence >= SURE);
  const garments = sure.filter(kindOf).sort((one, other) => other.confidence - one.confidence);
  if (garments.length) return kindOf(garments[0]);
  return sure.length ? "Not a garment" : "";
}

/** The spot that a search without a region was about: the first part that it looked at. */
export function spotOf(seen, spots) {
  const [first] = seen ?? [];
  return spots.find(({ region, person }) => region === first?.region && person <= 1) ?? null;
}

/** The name of a spot: its garment, where that is known and goes with the person's other spots. */
export function nameOf(spot, spots) {
  const kind = kindOf(spot);
  if (!kind || spot.region === "whole") return REGIONS[spot.region];
  const others = spots.filter(({ person, region }) => person === spot.person && region !== spot.region);
  // The same garment twice: the figure is named as such. The upper half of a dress is no T-shirt.
  const isShared = spot.region === "body" && others.some((other) => kindOf(other) === kind);
  const isPart = others.some((other) => other.region === "body" && other.kind === "dress" && kind !== KINDS.dress
    && other.confidence > spot.confidence);
  return isShared || isPart ? REGIONS[spot.region] : kind;
}

export class SpotLayer {
  #group = byId("spots");
  #spots = [];
  #choose;

  /** @param {(spot: object) => void} choose called with a spot that is pressed */
  constructor(choose) {
    this.#choose = choose;
    this.#group.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {object[]} spots as the service tells them, boxes in pixels of the photo; empty for none
   * @param {{width: number, height: number}} size of the photo
   */
  show(spots, size) {
    if (spots === this.#spots) return;
    this.#spots = spots;
    const persons = new Set(spots.map(({ person }) => person).filter(Boolean)).size;
    const byArea = [...spots].sort((one, other) => area(other.box) - area(one.box));
    this.#group.replaceChildren(...(persons ? spots.map((spot) => this.#button(spot, persons, size, byArea.indexOf(spot))) : []));
  }

  /** @param {?number} number of the spot that is searched for */
  press(number) {
    for (const button of this.#buttons()) button.setAttribute("aria-pressed", String(Number(button.dataset.number) === number));
    const pressed = this.#spots.find((spot) => spot.number === number);
    this.#group.dataset.pressed = pressed?.region ?? "";
    // Tab comes to one of them, that which counts; arrows go on from there.
    const current = this.#buttons().find((button) => Number(button.dataset.number) === number) ?? this.#buttons()[0];
    this.#stop(current);
  }

  set hidden(isHidden) {
    this.#group.hidden = isHidden || !this.#buttons().length;
  }

  /** Says what was found to those who do not see the outlines. */
  announce() {
    if (!this.#buttons().length) return;
    const names = this.#buttons().map((button) => button.textContent.trim());
    announce(`To be searched for in the photo: ${names.join(", ")}.`, { topic: "spots" });
  }

  #buttons() {
    return [...this.#group.children];
  }

  #button(spot, persons, size, order) {
    const name = nameOf(spot, this.#spots);
    const words = REGIONS[spot.region].toLowerCase();
    const more = [...(name === REGIONS[spot.region] ? [] : [words]),
      ...(persons > 1 && spot.person ? [`person ${spot.person}`] : [])];
    const button = make("button",
      { class: `spot ${spot.region}`, type: "button", "data-number": spot.number, "data-person": spot.person,
        "aria-pressed": "false", on: { click: () => this.#choose(spot) } },
      make("span", { class: "name", text: name }),
      make("span", { class: "unseen", text: more.length ? ` (${more.join(", ")})` : "" }));
    if (spot.region === "whole") {
      // In the corner where it hides less.
      const [left, right] = [0, 1].map((side) => this.#spots.filter((one) => one !== spot && isInCorner(one.box, size, side)));
      button.classList.toggle("right", left.length > right.length);
      return button;
    }
    const [x0, y0, x1, y1] = spot.box;
    // By its middle: one that is enlarged, to be hit with a finger, grows to all sides.
    button.style.left = `${(50 * (x0 + x1)) / size.width}%`;
    button.style.top = `${(50 * (y0 + y1)) / size.height}%`;
    button.style.width = `${(100 * (x1 - x0)) / size.width}%`;
    button.style.height = `${(100 * (y1 - y0)) / size.height}%`;
    button.style.zIndex = String(order); // the smaller above the larger, or it could not be pressed
    return button;
  }

  #stop(button) {
    for (const one of this.#buttons()) one.tabIndex = one === button ? 0 : -1;
  }

  #key(event) {
    const buttons = this.#buttons();
    const at = buttons.indexOf(event.target);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const steps = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: -1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = buttons.at(steps[event.key] % buttons.length);
    this.#stop(next);
    next.focus({ preventScroll: true });
  }
}

/** Whether a box reaches into the lower left (0) or right (1) corner of a photo. */
function isInCorner([x0, , x1, y1], { width, height }, side) {
  return y1 > 0.88 * height && (side ? x1 > 0.62 * width : x0 < 0.38 * width);
}

function area([x0, y0, x1, y1]) {
  return (x1 - x0) * (y1 - y0);
}
