// What the page says when there is nothing to show: what happened, what to do, and where possible a button for it.

import { Problem } from "./api.js";
import { announce, byId, make } from "./elements.js";

/** Times a busy service is asked again without being told to; then a person decides. */
const AUTOMATIC_TRIES = 4;
const DEFAULT_WAIT = 3;
const LONGEST_WAIT = 60;

let stopWaiting = () => {};

export function clearNotice() {
  stopWaiting();
  put();
}

/** Puts something in the notice's place. A button in there that had the focus leaves it to the heading above. */
function put(...content) {
  const place = byId("notice");
  const hadFocus = place.contains(document.activeElement);
  place.replaceChildren(...content);
  if (hadFocus) byId("results-title").focus({ preventScroll: true });
}

/**
 * @param {{kind: string, title: string, words: (string|Node)[], buttons?: {text: string, run: () => void,
 *   strong?: boolean}[], small?: string}} notice
 */
export function showNotice({ kind, title, words, buttons = [], small = "" }) {
  stopWaiting();
  const made = buttons.map(({ text, run, strong }) =>
    make("button", { class: strong ? "button strong" : "button", type: "button", text, on: { click: run } }));
  put(
    make("div", { class: `notice ${kind}` },
      make("h3", { text: title }),
      ...words.filter((one) => one !== "").map((one) => make("p", {}, one)),
      ...(made.length ? [make("div", { class: "buttons" }, ...made)] : []),
      ...(small ? [make("p", { class: "small", text: small })] : [])),
  );
  // On a phone the photo fills the screen; what is said instead of products is not to be out of sight below it.
  if (kind === "error" || document.body.dataset.view !== "start") byId("notice").scrollIntoView({ block: "nearest" });
  const told = [title, ...words.map((one) => (typeof one === "string" ? one : one.textContent))];
  announce(told.filter(Boolean).map(sentence).join(" "));
}

/**
 * Says that there is nothing to show, though all went well.
 * @param {{category: ?string, view: "start"|"photo"|"similar"|"empty", everywhere: () => void}} page `view` is
 *   "empty" where the whole shop is
 */
export function showNothing({ category, view, isNarrowed, everywhere, unnarrowed }) {
  const notice = { kind: "empty", buttons: [] };
  if (view === "empty" || (view === "start" && !category)) {
    notice.title = "There are no products yet";
    notice.words = ["Nothing has been taken into the catalog so far. Whoever runs the shop fills it with",
      make("code", { text: "stylesearch ingest products.csv" })];
  } else if (isNarrowed) {
    notice.title = "Nothing found that is all of this";
    notice.words = ["Without what you narrowed it to, there may be something."];
    notice.buttons = [{ text: "Show all again", run: unnarrowed, strong: true }];
  } else if (category) {
    notice.title = `Nothing found in ${category}`;
    notice.words = ["There may be something like it elsewhere in the shop."];
    notice.buttons = [{ text: "Look everywhere", run: everywhere, strong: true }];
  } else if (view === "similar") {
    notice.title = "Nothing else to compare it with";
    notice.words = ["There is no other product in the shop whose picture could be compared with this one."];
  } else {
    notice.title = "Nothing found";
    notice.words = ["There is no product in the shop that could be compared with your photo."];
  }
  showNotice(notice);
}

/** What went wrong, where a line of text has to do: a title, and what to do about it. */
export function inOneLine(error) {
  const { title, words } = saying(asProblem(error), {});
  return [title, ...words].map(sentence).join(" ");
}

function asProblem(error) {
  return error instanceof Problem ? error : new Problem({ title: "The page failed", detail: String(error) });
}

/**
 * @param {Error} error
 * @param {{again: () => void, chooseAnother: () => void, everything: () => void, hasPhoto: boolean,
 *   tries: number, maxBytes: number}} page what can be done about it; `tries` so far
 */
export function showProblem(error, page) {
  const problem = asProblem(error);
  const { status } = problem;
  const buttons = actions(problem, page);
  const told = saying(problem, page);
  const waits = passes(problem) && page.tries < AUTOMATIC_TRIES;
  const clock = make("span", {});
  showNotice({
    kind: "error",
    title: told.title,
    words: [...told.words, ...(waits ? [clock] : [])],
    buttons,
    small: [told.small ?? "", problem.requestId ? `Request ${problem.requestId}.` : ""].filter(Boolean).join(" "),
  });
  if (waits) waitAndRetry(problem.retryAfter ?? DEFAULT_WAIT, clock, page.again);
  if (status === 0) retryWhenOnline(page.again);
}

/** Whether the same a moment later may go well: not where the shop has to mend something first. */
function passes({ status, reason }) {
  return status === 429 || (status === 503 && reason !== "unusable");
}

/** The library's messages begin small, to go behind "error:". */
function sentence(text) {
  const end = /[.!?]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + end;
}

function saying(problem, { maxBytes, hasPhoto }) {
  const most = maxBytes ? `${Math.floor(maxBytes / 2 ** 20)} MB` : "the limit";
  const theirs = [problem.detail, problem.hint].filter(Boolean).map(sentence).join(" ");
  switch (problem.status) {
    case 0:
      return navigator.onLine
        ? { title: "The shop does not answer", words: ["It may be restarting. Try again in a moment."] }
        : { title: "You are offline", words: ["The search goes on as soon as there is a connection again."] };
    case 404:
      return { title: "That is not here any more", words: [theirs || "It may have been sold or renamed."] };
    case 413:
      return { title: "This photo is too large",
        words: [`Choose a smaller one, or a part of it: up to ${most} can be sent.`], small: theirs };
    case 415:
      return { title: "This file is not a photo that we can read",
        words: ["Choose a JPEG, PNG, WebP or HEIC picture."], small: theirs };
    case 422:
      return { title: "The search cannot be done like this", words: [theirs || problem.title] };
    case 429:
      return { title: "Too many searches in a short time", words: ["Everyone gets a turn."], small: theirs };
    case 503: // many people are searching, or the catalog is being written: the service's own words say which
      return passes(problem)
        ? { title: "The search is busy just now", words: ["Nothing that you did is lost."], small: theirs }
        : { title: "The search cannot be used at the moment",
            words: ["Try again later. If it stays like this, please tell the shop."], small: theirs };
    case 504:
      return { title: "That took too long", words: ["Try again; it is usually quick."], small: theirs };
    default:
      return { title: "Something went wrong at our end",
        words: [hasPhoto ? "Try again, or with another photo." : "Try again."], small: theirs };
  }
}

function actions(problem, { again, chooseAnother, everything, hasPhoto }) {
  const { status } = problem;
  const retry = { text: "Try again", run: again, strong: true };
  const another = { text: "Choose another photo", run: chooseAnother };
  const all = { text: "Show everything", run: everything };
  if (status === 413 || status === 415) return [{ ...another, strong: true }];
  if (status === 404) return [{ ...all, strong: true }];
  if (status === 422) return [...(hasPhoto ? [another] : []), all];
  if (passes(problem)) return [{ ...retry, text: "Try now" }];
  if (status === 503) return [retry];
  return hasPhoto && status !== 0 ? [retry, another] : [retry];
}

function waitAndRetry(seconds, clock, again) {
  let left = Math.ceil(Math.min(Math.max(1, seconds), LONGEST_WAIT));
  const tick = () => {
    clock.textContent = `We try again by ourselves in ${left} ${left === 1 ? "second" : "seconds"}.`;
    if (left === 0) {
      stopWaiting();
      again();
    }
    left -= 1;
  };
  const ticking = setInterval(tick, 1000);
  stopWaiting = () => {
    clearInterval(ticking);
    stopWaiting = () => {};
  };
  tick();
}

function retryWhenOnline(again) {
  const back = () => {
    stopWaiting();
    again();
  };
  window.addEventListener("online", back, { once: true });
  stopWaiting = () => {
    window.removeEventListener("online", back);
    stopWaiting = () => {};
  };
}
