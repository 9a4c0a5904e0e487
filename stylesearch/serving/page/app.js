// The page: its state, where it comes from (address, history, what people do) and what follows from it.

import { Problem, browse, categories, pageSettings, product, similar } from "./api.js";
import { keepInEntry, pushEntry, readAddress, readEntry, replaceEntry } from "./address.js";
import { readable, showCategories } from "./categories.js";
import { offerChoices, showChoices } from "./choices.js";
import { announce, byId, count, isPlainClick, products } from "./elements.js";
import { FACETS, keepFacets, showFacets } from "./facets.js";
import { acceptPhotos } from "./intake.js";
import { Recent } from "./memory.js";
import { clearNotice, inOneLine, showNothing, showNotice, showProblem } from "./notices.js";
import { openPhoto } from "./photo.js";
import { clearProducts, showProducts, showSkeletons } from "./results.js";
import { detectIn, searchWith } from "./sending.js";
import { PhotoPanel, showProductPanel } from "./subject.js";

const PAGE_OF_PRODUCTS = 24;
/** Photos and answers kept for the back button. */
const PHOTOS_KEPT = 4;
const ANSWERS_KEPT = 30;

const photos = new Recent(PHOTOS_KEPT, (old) => old.forget());
const answers = new Recent(ANSWERS_KEPT);
let settings = { max_bytes: 20 * 2 ** 20, max_k: 100, spaces: [], title: "" };
let shop = null;
let state = readAddress();
let photo = null;
let box = null;
/** The number of the spot that is searched for; null: the service chooses. */
let region = null;
let running = new AbortController();
let tries = 0;
let nTaken = 0;
let title = "";

const panel = new PhotoPanel(
  (changed) => narrow({ box: changed, region: null }),
  (number) => narrow({ box: null, region: number }),
);

// Moving about ----------------------------------------------------------------------------------------------

/** Another part of the same photo: the same entry in the history. */
function narrow(part) {
  ({ box, region } = part);
  keepInEntry(part);
  show({ keep: true });
}

/** A new entry in the history: another address, another photo. */
function go(changes, { entry = {}, focus = false } = {}) {
  state = { ...state, ...changes };
  const kept = { photo: photo?.number ?? null, box, region };
  pushEntry(state, { ...kept, ...entry });
  settle();
  show({ focus });
}

/** Takes photo, box and region from the history's entry. */
function settle() {
  const entry = readEntry();
  photo = photos.get(entry.photo) ?? null;
  box = photo ? entry.box : null;
  region = photo ? entry.region : null;
}

function view() {
  return state.similar ? "similar" : photo ? "photo" : "start";
}

window.addEventListener("popstate", () => {
  state = readAddress();
  settle();
  show({ scroll: readEntry().scroll });
});

// Showing ---------------------------------------------------------------------------------------------------

function show({ focus = false, keep = false, scroll = null } = {}) {
  tries = 0;
  const now = view();
  document.body.dataset.view = now;
  panel.show(now === "photo" ? photo : null, box, region);
  if (now === "photo") lookForSpots(photo);
  if (now !== "similar") showProductPanel(null, false);
  showChoices(state, now !== "start");
  keepFacets(now !== "start");
  byId("gone").hidden = now !== "start" || !readEntry().photo;
  if (shop) showCategories(shop.categories, shop.products, state.category, (name) => go({ category: name }));
  say(now === "photo" ? headingOfPhoto() : now === "similar" ? "Most like this" : state.category ? readable(state.category) : "In the shop");
  if (focus) {
    // The photo or product is above, and on a phone all that fits: first that, then the heading's products.
    window.scrollTo({ top: 0 });
    byId("results-title").focus({ preventScroll: true });
  }
  return load({ keep, scroll });
}

function headingOfPhoto() {
  const name = box ? null : panel.chosen;
  return name ? `Most like this: ${name}` : "Most like your photo";
}

/** Asks for the spots of a photo, while it is searched with; without them the photo is only searched with. */
async function lookForSpots(of) {
  if (!of.isShown || of.spots) return;
  of.spots = []; // asked for
  try {
    of.spots = await detectIn(of, settings.max_bytes);
  } catch (error) {
    // What passes is tried again with the next search.
    of.spots = [0, 429, 503, 504].includes(error.status) ? null : [];
    if (!(error instanceof Problem)) console.error(error);
    return;
  }
  if (of !== photo || view() !== "photo") return;
  panel.tell();
  panel.announceSpots();
}

function say(heading) {
  title = heading;
  byId("results-title").textContent = heading;
  const name = settings.title || "stylesearch";
  document.title = view() === "start" ? `Find it from a photo · ${name}` : `${heading} · ${name}`;
}

async function load({ keep = false, scroll = null } = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const key = JSON.stringify([view(), state, view() === "photo" ? [photo.number, box, region] : null]);
  clearNotice();
  for (const id of ["more", "more-failed", "footnote"]) byId(id).hidden = true;
  let answer = answers.get(key);
  try {
    if (!answer) {
      busy(true, keep);
      answer = await ask(signal);
      answers.put(key, answer);
    }
    if (signal.aborted) return;
    busy(false);
    render(answer, key);
    if (scroll !== null) window.scrollTo({ top: scroll });
  } catch (error) {
    if (signal.aborted) return;
    busy(false);
    fail(error);
  }
}

function busy(isBusy, keep = false) {
  byId("results").setAttribute("aria-busy", String(isBusy));
  byId("progress").hidden = !isBusy;
  if (!isBusy) return;
  byId("count").textContent = "";
  announce(view() === "start" ? "Loading." : "Searching.", { delay: 400 });
  if (!keep || byId("grid").hidden) showSkeletons(view() === "start" ? 12 : Math.min(state.k, 12));
}

async function ask(signal) {
  if (view() === "similar") {
    const [likes, subject] = await Promise.all([similar(state.similar, { ...state, facets: FACETS }, signal), product(state.similar, signal)]);
    return { ...likes, subject };
  }
  if (view() === "start") return browse({ category: state.category, limit: PAGE_OF_PRODUCTS }, signal);
  return searchWith(photo, { ...state, box, region, facets: FACETS }, settings.max_bytes, signal);
}

function render(answer, key) {
  const now = view();
  if (now === "similar") {
    showProductPanel(answer.subject, photos.has(readEntry().photo));
    say(`Like ${answer.subject.title || answer.subject.id}`);
  }
  if (now === "photo") {
    if (!box && !region) photo.seen = answer.seen;
    panel.tell(answer.seen);
  }
  if (now !== "start") showFacets(answer.facets, state.where, (where) => go({ where }));
  const entries = now === "start" ? answer.products.map(shelved) : answer.hits;
  if (!entries.length) return nothing();
  byId("footnote").hidden = now === "start";
  showProducts(entries, state, { like, point: (region) => panel.outline(region) });
  if (now === "start") {
    const total = shop?.categories.find(({ name }) => name === state.category)?.products ?? shop?.products;
    byId("count").textContent = total === undefined ? "" : products(total);
    byId("more").hidden = !answer.next_cursor;
    byId("more").onclick = () => more(answer, key);
  } else {
    const took = answer.seconds?.total;
    const inTime = took === undefined ? "" : ` in ${took < 0.1 ? "under 0.1" : took.toFixed(1)} s`;
    byId("count").textContent = `${products(entries.length)}${inTime}`;
  }
  return announce(`${title}: ${products(entries.length)}.`);
}

function shelved(one) {
  return { product: one, image: one.images?.[0] };
}

function nothing() {
  clearProducts();
  byId("count").textContent = "";
  showNothing({
    category: state.category && readable(state.category),
    view: shop?.products === 0 ? "empty" : view(),
    isNarrowed: view() !== "start" && state.where.length > 0,
    unnarrowed: () => go({ where: [] }, { focus: true }),
    everywhere: () => go({ category: null }, { focus: true }),
  });
}

async function more(answer, key) {
  const { signal } = running; // by the time of the answer, `running` may be another question's
  const button = byId("more");
  const hadFocus = document.activeElement === button;
  byId("more-failed").hidden = true;
  button.disabled = true;
  try {
    const further = await browse({ category: state.category, cursor: answer.next_cursor, limit: PAGE_OF_PRODUCTS }, signal);
    if (signal.aborted) return;
    const first = byId("grid").children.length;
    showProducts(further.products.map(shelved), state, { like, point: () => {} }, true);
    byId("grid").children[first]?.querySelector("a")?.focus({ preventScroll: true });
    announce(`${products(further.products.length)} more.`);
    Object.assign(answer, { products: [...answer.products, ...further.products], next_cursor: further.next_cursor });
    answers.put(key, answer);
    button.hidden = !further.next_cursor;
  } catch (error) {
    if (signal.aborted) return;
    // What is shown so far is right: only what did not come is told, where it was asked for.
    const words = inOneLine(error);
    byId("more-failed").textContent = words;
    byId("more-failed").hidden = false;
    announce(words);
    if (!(error instanceof Problem)) console.error(error);
  } finally {
    button.disabled = false;
    // Disabled, it may have lost the focus; nothing else has taken it if nothing came.
    if (hadFocus && !signal.aborted && document.activeElement === document.body) button.focus({ preventScroll: true });
  }
}

function fail(error) {
  // Asked what is most like a photo, an empty shop knows nothing of what to compare it with.
  if (shop?.products === 0 && error.status === 404) return nothing();
  // What is on the screen answered another question.
  clearProducts();
  if (view() === "photo") panel.tell([]);
  byId("count").textContent = "";
  showProblem(error, {
    again: () => {
      tries += 1;
      if (!shop) start();
      else load();
    },
    chooseAnother: () => byId(view() === "photo" ? "other" : "choose").click(),
    everything: () => go({ category: null, similar: null, where: [], space: "" }, { entry: { photo: null, box: null, region: null }, focus: true }),
    hasPhoto: view() === "photo", tries, maxBytes: settings.max_bytes,
  });
  if (!(error instanceof Problem)) console.error(error);
  return undefined;
}

// What people do --------------------------------------------------------------------------------------------

async function take(file, nFiles) {
  nTaken += 1;
  const number = nTaken;
  const opened = await openPhoto(file);
  if (number !== nTaken) return opened.forget(); // the next one was opened more quickly
  photos.put(opened.number, opened);
  go({ similar: null, where: [] }, { entry: { photo: opened.number, box: null, region: null }, focus: true });
  if (nFiles < 2) return undefined;
  return announce(`Of ${count(nFiles)} files the first is searched with.`, { topic: "files" });
}

function like(one) {
  go({ similar: one.id, category: null, where: [] }, { focus: true });
}

function home(event) {
  if (!isPlainClick(event)) return;
  event.preventDefault();
  go({ category: null, similar: null, where: [] }, { entry: { photo: null, box: null, region: null } });
  window.scrollTo({ top: 0 });
}

async function start() {
  try {
    [settings, shop] = await Promise.all([pageSettings(), categories()]);
  } catch (error) {
    fail(error);
    return;
  }
  byId("brand").textContent = settings.title || "stylesearch";
  byId("privacy").hidden = settings.keeps_uploads !== false;
  state.k = offerChoices(settings, state, (changes) => go(changes));
  replaceEntry(state, {});
  settle();
  await show();
}

acceptPhotos(take, (words) => showNotice({ kind: "error", title: "No picture in there", words: [words] }));
byId("home").addEventListener("click", home);
byId("start-over").addEventListener("click", home);
byId("back-to-photo").addEventListener("click", (event) => {
  if (!isPlainClick(event)) return;
  event.preventDefault();
  go({ similar: null, category: null, where: [] }, { focus: true });
});
// Followed as a link it would be an entry of the history without a photo.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("results-title").focus();
});
start();
