// Chips that narrow a search: in stock, colors, sizes, prices and brands, with how many products each leaves.

import { byId, count, make, products, unseen } from "./elements.js";

/** Names that are asked for, and what customers read above their values. */
const NAMES = { in_stock: "Stock", color: "Color", size: "Size", price: "Price", brand: "Brand" };
/** Values shown of each; those that most products have come first. */
const SHOWN = 6;

export const FACETS = Object.keys(NAMES);

/**
 * While an answer is on its way the row keeps its place, so that nothing below it jumps.
 * @param {boolean} isSearch whether there is a search that they narrow
 */
export function keepFacets(isSearch) {
  const place = byId("facets");
  place.hidden = !isSearch || place.dataset.none === "true";
}

/**
 * @param {?Object<string, {label: string, count: number, where: string}[]>} facets of the answer
 * @param {string[]} chosen conditions in force
 * @param {(where: string[]) => void} choose
 */
export function showFacets(facets, chosen, choose) {
  const place = byId("facets");
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.where : undefined;
  const scrolled = place.scrollLeft;
  const wasEmpty = !place.children.length;
  const groups = FACETS.map((name) => group(name, shownValues(name, facets?.[name] ?? [], chosen), chosen, choose));
  // Conditions of an address on something else: they can be taken off like the others.
  const others = chosen.filter((where) => !FACETS.some((name) => isOf(name, where)));
  groups.unshift(group("", others.map((where) => ({ label: where, where })), chosen, choose));
  place.replaceChildren(...groups.filter((one) => one !== null));
  place.dataset.none = String(place.children.length === 0);
  place.hidden = place.children.length === 0;
  place.scrollLeft = scrolled;
  const on = place.querySelector("[aria-pressed=true]");
  if (wasEmpty && on) showWithin(place, on);
  // What had the focus was replaced by its like.
  if (focused !== undefined) [...place.querySelectorAll(".chip")].find((one) => one.dataset.where === focused)?.focus();
}

/** Scrolls a row sideways, if that is needed, so that a chip is in sight. */
function showWithin(row, chip) {
  const { left, right } = chip.getBoundingClientRect();
  const seen = row.getBoundingClientRect();
  if (right > seen.right) row.scrollLeft += right - seen.right + 16;
  else if (left < seen.left) row.scrollLeft -= seen.left - left + 16;
}

/** Whether a condition, or each of several in one text, is about a name. */
function isOf(name, where) {
  const parts = where.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, "''").split(/\s+and\s+/i);
  const about = new RegExp(`^\\s*(?:not\\s+)?${name}\\s*(?:[=<>!]|\\s(?:not\\s+)?in\\b|\\sexists\\b)`, "i");
  return parts.every((part) => about.test(part));
}

/** The first values and the chosen ones; of a single value nobody needs to choose. */
function shownValues(name, values, chosen) {
  const isChosen = ({ where }) => chosen.includes(where);
  const others = chosen.filter((where) => isOf(name, where) && !values.some((one) => one.where === where));
  const unlisted = others.map((where) => ({ label: where, where }));
  if (name === "in_stock") {
    const [there] = values.filter(({ label }) => label === "true");
    const shown = there && (values.length > 1 || isChosen(there)) ? [{ ...there, label: "In stock" }] : [];
    return [...shown, ...unlisted];
  }
  if (values.length < 2 && !values.some(isChosen)) return unlisted;
  return [...values.filter((one, number) => number < SHOWN || isChosen(one)), ...unlisted];
}

function group(name, values, chosen, choose) {
  if (!values.length) return null;
  const chip = ({ label, count: number, where }) => {
    const isOn = chosen.includes(where);
    // Of one name one value holds: the others of it make room.
    const rest = chosen.filter((one) => one !== where && !(name && isOf(name, one)));
    return make(
      "button",
      { class: "chip value", type: "button", "data-where": where, "aria-pressed": String(isOn),
        on: { click: () => choose(isOn ? rest : [...rest, where]) } },
      label,
      ...(number === undefined ? [] : [
        " ", make("span", { class: "number", text: count(number), "aria-hidden": "true" }), unseen(`, ${products(number)}`),
      ]),
      ...(isOn ? [make("span", { class: "off", "aria-hidden": "true", text: "\u00d7" })] : []),
    );
  };
  const heading = NAMES[name];
  return make(
    "div", { class: "facet", role: "group", "aria-label": heading ?? "Filter" },
    ...(heading && name !== "in_stock" ? [make("span", { class: "of", "aria-hidden": "true", text: heading })] : []),
    ...values.map(chip),
  );
}
