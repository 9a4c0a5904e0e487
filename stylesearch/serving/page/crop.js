// The box on the photo: drawn and adjusted with mouse, finger and keys.
//
// Events: "change" with detail {box, isFinal}; isFinal is false while a pointer still moves.

import { announce, byId } from "./elements.js";
import { grown, inWords, middle, moved, spanned, stretched } from "./crop_geometry.js";

/** Screen pixels that a pointer moves before it draws: less is a click. */
const CLICK_SLOP = 6;
/** Milliseconds after the last key until what the keys did counts. */
const KEYS_SETTLE = 700;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class CropBox extends EventTarget {
  #stage = byId("stage");
  #frame = byId("crop");
  #found = byId("found");
  #size = null;
  #box = null;
  #drag = null;
  #isArmed = false;
  #settling = 0;

  constructor() {
    super();
    this.#stage.addEventListener("pointerdown", (event) => this.#press(event));
    this.#stage.addEventListener("pointermove", (event) => this.#pull(event));
    this.#stage.addEventListener("pointerup", (event) => this.#release(event));
    this.#stage.addEventListener("pointercancel", () => this.#cancel());
    this.#frame.addEventListener("keydown", (event) => this.#key(event));
    this.#frame.addEventListener("blur", () => this.#settle());
    // A picture is something to drag elsewhere, for a browser; here it is something to draw on.
    this.#stage.addEventListener("dragstart", (event) => event.preventDefault());
  }

  /** [x0, y0, x1, y1] in pixels of the photo, or null for all of it. */
  get box() {
    return this.#box;
  }

  /** Shows another photo's box, and tells nobody. A size of null: there is nothing to draw on. */
  show(size, box) {
    clearTimeout(this.#settling);
    this.#settling = 0;
    this.#drag = null;
    this.#size = size;
    this.#isArmed = false;
    this.#place(box);
  }

  /** Begins a box where a garment mostly is, ready to be drawn anew or adjusted. */
  begin() {
    if (!this.#size) return;
    this.#isArmed = true;
    this.#place(this.#box ?? middle(this.#size));
    this.#frame.focus();
    this.#say("Box");
    this.#tell(true);
  }

  clear() {
    if (!this.#box) return;
    this.#isArmed = false;
    this.#place(null);
    announce("The box is cleared.", { topic: "box" });
    this.#tell(true);
  }

  /** Outlines a part of the photo, that in which something was found; null for none. */
  outline(region) {
    this.#found.hidden = !region || !this.#size || Boolean(this.#box);
    if (!this.#found.hidden) this.#put(this.#found, region);
  }

  #place(box) {
    this.#box = box;
    this.#frame.hidden = !box;
    this.#found.hidden = true;
    // Without a box or a wish to draw one, a finger on the photo scrolls the page.
    this.#stage.classList.toggle("armed", this.#isArmed);
    if (!box) return;
    this.#put(this.#frame, box);
    this.#frame.setAttribute("aria-label", `Part of the photo to search for: ${inWords(box, this.#size)}`);
  }

  #put(element, [x0, y0, x1, y1]) {
    const { width, height } = this.#size;
    element.style.left = `${(100 * x0) / width}%`;
    element.style.top = `${(100 * y0) / height}%`;
    element.style.width = `${(100 * (x1 - x0)) / width}%`;
    element.style.height = `${(100 * (y1 - y0)) / height}%`;
  }

  #tell(isFinal) {
    this.dispatchEvent(new CustomEvent("change", { detail: { box: this.#box, isFinal } }));
  }

  #say(what) {
    announce(`${what}: ${inWords(this.#box, this.#size)}.`, { topic: "box", delay: 300 });
  }

  // Pointers -----------------------------------------------------------------------------------------------

  #press(event) {
    if (!this.#size || !event.isPrimary || event.button !== 0) return;
    const edges = event.target.dataset?.edges;
    const onBox = event.target === this.#frame;
    const mayDraw = event.pointerType !== "touch" || this.#isArmed;
    if (!edges && !onBox && !mayDraw) return;
    const kind = edges ? "stretch" : onBox ? "move" : "draw";
    this.#drag = { kind, edges, from: this.#at(event), before: this.#box, pointer: event.pointerId, began: false };
    this.#drag.screen = [event.clientX, event.clientY];
    // What is captured is clicked: a spot of the photo could not be pressed any more.
    if (kind !== "draw") this.#stage.setPointerCapture(event.pointerId);
    if (kind !== "draw") {
      event.preventDefault();
      this.#frame.focus({ preventScroll: true });
    }
  }

  #pull(event) {
    const drag = this.#drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    if (event.buttons === 0) return this.#cancel(); // let go where the stage was not told of it
    const [x, y] = drag.screen;
    if (!drag.began && Math.hypot(event.clientX - x, event.clientY - y) < CLICK_SLOP) return;
    if (!drag.began) this.#stage.setPointerCapture(event.pointerId);
    drag.began = true;
    const to = this.#at(event);
    const [dx, dy] = [to[0] - drag.from[0], to[1] - drag.from[1]];
    if (drag.kind === "draw") this.#place(spanned(drag.from, to, this.#size));
    else if (drag.kind === "move") this.#place(moved(drag.before, dx, dy, this.#size));
    else this.#place(stretched(drag.before, drag.edges, dx, dy, this.#size));
    return this.#tell(false);
  }

  #release(event) {
    const drag = this.#drag;
    if (!drag || event.pointerId !== drag.pointer) return;
    this.#drag = null;
    if (!drag.began) return;
    this.#isArmed = false;
    this.#place(this.#box);
    this.#say(drag.kind === "draw" ? "Box drawn" : "Box");
    this.#tell(true);
  }

  #cancel() {
    if (!this.#drag) return;
    const { before } = this.#drag;
    this.#drag = null;
    this.#place(before);
    this.#tell(false);
  }

  /** Where a pointer is, in pixels of the photo; outside of it as well. */
  #at(event) {
    const area = this.#stage.getBoundingClientRect();
    return [
      ((event.clientX - area.left) / area.width) * this.#size.width,
      ((event.clientY - area.top) / area.height) * this.#size.height,
    ];
  }

  // Keys ---------------------------------------------------------------------------------------------------

  #key(event) {
    if (!this.#box || event.altKey || event.metaKey) return;
    const longer = Math.max(this.#size.width, this.#size.height);
    const step = event.ctrlKey ? 1 : Math.max(1, Math.round(longer / 50));
    if (event.key in ARROWS) {
      const [x, y] = ARROWS[event.key];
      const change = event.shiftKey ? stretched : moved;
      const parts = event.shiftKey ? [this.#box, "es"] : [this.#box];
      this.#keyed(event, change(...parts, x * step, y * step, this.#size));
    } else if (["+", "=", "-"].includes(event.key)) {
      if (event.ctrlKey) return; // the browser's zoom
      this.#keyed(event, grown(this.#box, event.key === "-" ? -step : step, this.#size));
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#settle(true);
    } else if (event.key === "Escape" || event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      byId("mark").hidden = false; // where the focus goes: the box is about to vanish
      byId("mark").focus();
      this.clear();
    }
  }

  #keyed(event, box) {
    event.preventDefault();
    this.#isArmed = false;
    this.#place(box);
    this.#say("Box");
    this.#tell(false);
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#settle(), KEYS_SETTLE);
  }

  /** What the keys did counts now. */
  #settle(always = false) {
    const isPending = this.#settling !== 0;
    clearTimeout(this.#settling);
    this.#settling = 0;
    if (this.#box && (isPending || always)) this.#tell(true);
  }
}

