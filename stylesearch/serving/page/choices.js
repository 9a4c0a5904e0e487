// How many products are shown, and in which space they are compared.

import { byId, count, make } from "./elements.js";

const K_CHOICES = [10, 20, 40, 60, 100];
/** Customers are not asked which space; who has one in the address is comparing them, and may choose. */
const offersSpaces = new URLSearchParams(location.search).has("space");

/**
 * @param {{max_k: number, spaces: string[]}} settings of the service
 * @param {{k: number}} state
 * @param {(changes: object) => void} choose
 * @returns {number} the k in force: what an address asks for, as far as the service goes
 */
export function offerChoices({ max_k: most, spaces }, { k: wanted }, choose) {
  const k = Math.min(wanted, most);
  const numbers = [...new Set([...K_CHOICES.filter((one) => one <= most), k])].sort((one, other) => one - other);
  byId("k").replaceChildren(...numbers.map((one) => make("option", { value: one, text: count(one) })));
  byId("k").onchange = () => choose({ k: Number(byId("k").value) });
  const [usual, ...others] = spaces; // the first is what the shop uses unless told otherwise
  byId("space").replaceChildren(
    make("option", { value: "", text: usual ?? "" }),
    ...others.map((space) => make("option", { value: space, text: space })));
  byId("space").onchange = () => choose({ space: byId("space").value });
  return k;
}

/** @param {boolean} isSearch whether there is a search that they change */
export function showChoices({ k, space }, isSearch) {
  byId("k-choice").hidden = !isSearch;
  byId("space-choice").hidden = !isSearch || !offersSpaces;
  byId("k").value = String(k);
  byId("space").value = space;
}
