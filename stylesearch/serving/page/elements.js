// Making and finding elements. Text only ever becomes text: nothing here parses markup.

/** The element of that id; a page without it is a mistake in the page, so it says so. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

/**
 * A new element.
 * @param {string} name of its tag
 * @param {Object<string, *>} [properties] attributes; `class`, `text` and `on` (listeners by event) are special,
 *   null and false leave an attribute out
 * @param {...(Node|string)} children
 */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key === "on") for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Words that only a screen reader says. */
export function unseen(text) {
  return make("span", { class: "unseen", text });
}

/** Whether a click means "here": not a new tab, not a download. */
export function isPlainClick(event) {
  return event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

const live = () => byId("live");
const waiting = new Map();
let pending = 0;

/**
 * Says something to a screen reader, after what comes in quick succession has settled: of each topic the latest
 * words, and one topic does not cut off another.
 */
export function announce(text, { delay = 150, topic = "products" } = {}) {
  waiting.delete(topic);
  waiting.set(topic, text);
  clearTimeout(pending);
  pending = setTimeout(() => {
    const words = [...waiting.values()].join(" ");
    waiting.clear();
    // The same words twice are said twice only if the element was empty in between.
    live().textContent = "";
    requestAnimationFrame(() => {
      live().textContent = words;
    });
  }, delay);
}

/** A number as this reader writes it. */
export function count(number) {
  return new Intl.NumberFormat().format(number);
}

/** "1 product", "20 products". */
export function products(number) {
  return `${count(number)} ${number === 1 ? "product" : "products"}`;
}
