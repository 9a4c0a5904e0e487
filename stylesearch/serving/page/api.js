// The service's API: one function a call, and every failure as a Problem.

const BASE = new URL("./", document.baseURI);

/** A failed call, as the service told it (problem+json), or as the network did (status 0). */
export class Problem extends Error {
  constructor({ status = 0, title = "", detail = "", hint = "", reason = "", requestId = "", retryAfter = null }) {
    super(title || detail || `status ${status}`);
    this.name = "Problem";
    Object.assign(this, { status, title, detail, hint, reason, requestId, retryAfter });
  }
}

/** The address of a link that the service gave ("/v1/images/..."), also where the service is not at the root. */
export function linked(path) {
  return new URL(path.replace(/^\/+/, ""), BASE).href;
}

function seconds(header) {
  const number = Number.parseFloat(header ?? "");
  return Number.isFinite(number) && number >= 0 ? number : null;
}

async function problemOf(response) {
  const text = await response.text();
  let told = {};
  try {
    told = JSON.parse(text) ?? {};
  } catch {
    // a proxy's own page, not the service's words: the status has to do
  }
  return new Problem({
    status: response.status,
    title: told.title ?? response.statusText,
    detail: typeof told.detail === "string" ? told.detail : "",
    hint: told.hint ?? "",
    reason: told.reason ?? "",
    requestId: told.request_id ?? response.headers.get("X-Request-ID") ?? "",
    retryAfter: seconds(response.headers.get("Retry-After")),
  });
}

async function call(path, { query = {}, ...options } = {}) {
  const url = new URL(linked(path));
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  let response;
  try {
    response = await fetch(url, { headers: { Accept: "application/json" }, ...options });
    if (response.ok) return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "No answer", detail: String(error.message ?? error) });
  }
  throw await problemOf(response);
}

/** An id in a path, slashes escaped as well: the product "a/similar" is not what is similar to "a". */
function inPath(id) {
  return encodeURIComponent(id);
}

/** What the page has to know: max_bytes, max_k, spaces, title. */
export function pageSettings() {
  return call("v1/page");
}

export function categories() {
  return call("v1/categories");
}

export function browse({ category, cursor = null, limit = 24 }, signal) {
  return call("v1/products", { query: { category, cursor, limit }, signal });
}

export function product(id, signal) {
  return call(`v1/products/${inPath(id)}`, { signal });
}

export function similar(id, { k, category, space, where, facets }, signal) {
  const query = { k, category, space, where: where.join(" and "), facets: facets.join(",") };
  return call(`v1/products/${inPath(id)}/similar`, { query, signal });
}

/**
 * @param {Blob} image
 * @param {{k: number, category: ?string, space: string, box: ?number[], region: ?number, where: string[],
 *   facets: string[]}} choices box in pixels of `image`, upright; region is the number of a spot; where are
 *   conditions that all hold; facets are names whose values are counted
 */
export function search(image, { k, category, space, box, region, where, facets }, signal) {
  const form = formWith(image);
  form.set("k", String(k));
  if (category) form.set("category", category);
  if (space) form.set("space", space);
  if (where.length) form.set("where", where.join(" and "));
  form.set("facets", facets.join(","));
  if (box) form.set("box", box.join(","));
  else if (region) form.set("region", String(region));
  return call("v1/search", { method: "POST", body: form, signal });
}

/** @param {Blob} image */
export function detect(image) {
  return call("v1/detect", { method: "POST", body: formWith(image) });
}

function formWith(image) {
  const form = new FormData();
  form.set("image", image, "photo"); // the file's own name is nobody's business
  return form;
}
