// What of the page's state its address holds: category, k, space, conditions, and the product whose
// likes are shown.
// A photo cannot be in an address; history.state holds the number of one that this tab still has.

const K_DEFAULT = 20;

/** @returns {{category: ?string, k: number, space: string, similar: ?string, where: string[]}} */
export function readAddress(search = location.search) {
  const query = new URLSearchParams(search);
  const k = Number(query.get("k") ?? K_DEFAULT);
  return {
    category: query.get("category") || null,
    k: Number.isInteger(k) && k >= 1 ? k : K_DEFAULT,
    space: query.get("space") ?? "",
    similar: query.get("similar") || null,
    where: query.getAll("where").filter((one) => one.trim()),
  };
}

/** The address of a state; what is at its default is left out. */
export function addressOf({ category = null, k = K_DEFAULT, space = "", similar = null, where = [] }) {
  const query = new URLSearchParams();
  if (similar) query.set("similar", similar);
  if (category) query.set("category", category);
  if (k !== K_DEFAULT) query.set("k", String(k));
  if (space) query.set("space", space);
  for (const one of where) query.append("where", one);
  const text = query.toString();
  return text ? `?${text}` : "./";
}

/** What this tab remembers with an entry of its history. */
export function readEntry() {
  const { photo = null, box = null, region = null, scroll = 0 } = history.state ?? {};
  return { photo, box, region, scroll };
}

export function keepInEntry(changes) {
  history.replaceState({ ...readEntry(), ...changes }, "", location.href);
}

export function pushEntry(state, entry) {
  keepInEntry({ scroll: window.scrollY });
  history.pushState({ scroll: 0, ...entry }, "", addressOf(state));
}

export function replaceEntry(state, entry) {
  history.replaceState({ ...readEntry(), ...entry }, "", addressOf(state));
}
