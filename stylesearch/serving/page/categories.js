// The chips of the categories, with how many products each has.

import { byId, count, make, products, unseen } from "./elements.js";

/** Chips shown before "more"; a shop with a few more than that shows them all. */
const SHOWN = 14;

/** A category as customers read it: "men_hoodie" is "Men hoodie". */
export function readable(name) {
  const words = name.replace(/_/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * @param {{name: string, products: number}[]} categories
 * @param {number} total of products
 * @param {?string} chosen
 * @param {(name: ?string) => void} choose
 */
export function showCategories(categories, total, chosen, choose) {
  const place = byId("chips");
  const isOpen = place.dataset.open === "true";
  const kept = focusedValue(place);
  place.hidden = categories.length < 2;
  const chip = (name, label, number) =>
    make(
      "button",
      { class: "chip", type: "button", "data-name": name ?? "", "aria-pressed": String(name === chosen),
        on: { click: () => choose(name) } },
      label, " ", make("span", { class: "number", text: count(number), "aria-hidden": "true" }),
      unseen(`, ${products(number)}`),
    );
  const fits = isOpen || categories.length <= SHOWN + 3;
  const few = fits ? categories : theLargest(categories, chosen);
  const chips = few.map(({ name, products: number }) => chip(name, readable(name), number));
  place.replaceChildren(chip(null, "Everything", total), ...chips);
  if (!fits) {
    const rest = categories.length - few.length;
    place.append(
      make("button", { class: "chip further", type: "button", text: `${count(rest)} more`, on: { click: () => {
        place.dataset.open = "true";
        showCategories(categories, total, chosen, choose);
        place.children[few.length + 1]?.focus();
      } } }),
    );
  }
  // What had the focus was replaced by its like.
  if (kept !== null) [...place.children].find((one) => one.dataset.name === kept)?.focus();
  bringIntoRow(place);
}

/** On a phone the chips are one row to push; the chosen one shall be seen in it. The page itself stays put. */
function bringIntoRow(place) {
  const chosen = place.querySelector("[aria-pressed=true]");
  if (!chosen) return;
  const [row, chip] = [place.getBoundingClientRect(), chosen.getBoundingClientRect()];
  if (chip.left < row.left || chip.right > row.right) place.scrollLeft += chip.left - row.left - 16;
}

/** The largest categories and the chosen one, in the order that they came in. */
function theLargest(categories, chosen) {
  const bySize = [...categories].sort((one, other) => other.products - one.products);
  const kept = new Set(bySize.slice(0, SHOWN));
  return categories.filter((one) => kept.has(one) || one.name === chosen);
}

function focusedValue(place) {
  return place.contains(document.activeElement) ? (document.activeElement.dataset.name ?? null) : null;
}
