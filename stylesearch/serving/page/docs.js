// The API's reference, drawn from openapi.json: nothing about a call is written here.

import { curlLines } from "./docs_calls.js";
import { exampleOf, limitsInWords, resolved, rowsOf, typeInWords } from "./docs_schema.js";
import { announce, byId, make } from "./elements.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** Text with paragraphs, lists and `code`, which is all the Markdown that descriptions use. */
function prose(text) {
  return String(text ?? "").split(/\n\s*\n/).filter((part) => part.trim()).map((part) => {
    const lines = part.trim().split("\n");
    if (lines.every((line) => /^\s*[-*] /.test(line))) {
      return make("ul", {}, ...lines.map((line) => make("li", {}, ...inline(line.replace(/^\s*[-*] /, "")))));
    }
    return make("p", {}, ...inline(lines.join(" ")));
  });
}

function inline(text) {
  return text.split(/(`+[^`]+`+)/).map((part) =>
    part.startsWith("`") ? make("code", { text: part.replace(/^`+|`+$/g, "") }) : part);
}

function anchorOf(method, path) {
  return `${method}-${path}`.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "");
}

/** Every call in the order of the paths, by its first tag. */
function grouped(api) {
  const groups = new Map((api.tags ?? []).map(({ name, description }) => [name, { description, calls: [] }]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS.filter((one) => item[one])) {
      const operation = item[method];
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => resolved(one, api));
      const group = operation.tags?.[0] ?? "Calls";
      if (!groups.has(group)) groups.set(group, { calls: [] });
      groups.get(group).calls.push({ method, path, operation, parameters, api, anchor: anchorOf(method, path) });
    }
  }
  return [...groups].filter(([, { calls }]) => calls.length);
}

// Pieces of a call -------------------------------------------------------------------------------------------

function table(caption, rows) {
  const line = ({ name, type, limits, words, required }) =>
    make("tr", {},
      make("th", { scope: "row" }, make("code", { text: name }),
        ...(required ? [" ", make("span", { class: "needed", text: "required" })] : [])),
      make("td", {}, make("span", { class: "type", text: [type, limits].filter(Boolean).join(", ") }),
        ...prose(words)));
  return make("table", {}, make("caption", { class: "unseen", text: caption }),
    make("thead", { class: "unseen" }, make("tr", {}, make("th", { scope: "col", text: "Name" }),
      make("th", { scope: "col", text: "What it is" }))),
    make("tbody", {}, ...rows.map(line)));
}

function folded(title, isOpen, ...content) {
  return make("details", { open: isOpen }, make("summary", { text: title }), ...content);
}

function sample(title, text, isCommand = false) {
  const code = make("code", { text });
  const copy = make("button", { class: "copy", type: "button", "aria-label": `Copy: ${title}`, text: "Copy" });
  copy.addEventListener("click", () => copied(text, code, copy));
  return make("figure", { class: isCommand ? "sample command" : "sample" },
    make("figcaption", {}, make("span", { text: title }), copy),
    make("pre", { tabindex: "0", "aria-label": title, role: "group" }, code));
}

async function copied(text, code, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    announce("Copied.");
  } catch {
    // Over plain HTTP from elsewhere browsers give pages no clipboard: selected, it is one key away.
    getSelection().selectAllChildren(code);
    button.textContent = "Ctrl C";
    announce("Selected. Copy it with Control C.");
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2500);
}

const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function parametersOf({ parameters, api }) {
  if (!parameters.length) return [];
  const rows = parameters.map(({ name, in: where, schema, description, required }) => ({
    name, required, words: description ?? resolved(schema, api).description ?? "",
    type: [`in the ${where}`, typeInWords(schema ?? {}, api)].join(", "), limits: limitsInWords(schema ?? {}, api),
  }));
  return [make("h4", { text: "Parameters" }), table("Parameters", rows)];
}

function bodyOf({ operation, api }) {
  const body = resolved(operation.requestBody, api);
  const kinds = Object.entries(body.content ?? {});
  if (!kinds.length) return [];
  return [make("h4", { text: "Body" }), ...prose(body.description), ...kinds.map(([type, media], number) =>
    folded(type, number === 0, table(`Body as ${type}`, rowsOf(media.schema ?? {}, api))))];
}

function responsesOf({ operation, api }) {
  const made = Object.entries(operation.responses ?? {}).map(([status, given]) => {
    const response = resolved(given, api);
    const kinds = Object.entries(response.content ?? {});
    const rows = kinds.flatMap(([, media]) => rowsOf(media.schema ?? {}, api));
    const head = make("summary", {}, make("span", { class: `status s${status[0]}`, text: status }), " ",
      ...inline(response.description ?? ""));
    if (!rows.length) return make("p", { class: "bare" }, ...head.childNodes);
    return make("details", {}, head, table(`Answer ${status}`, rows));
  });
  return made.length ? [make("h4", { text: "Answers" }), ...made] : [];
}

function answerSample({ operation, api }) {
  const [status, given] = Object.entries(operation.responses ?? {}).find(([code]) => code.startsWith("2")) ?? [];
  const media = resolved(given, api).content?.["application/json"];
  return media ? [sample(`Answer ${status}`, pretty(exampleOf(media, api)))] : [];
}

function section(call) {
  const { method, path, operation, anchor } = call;
  const needsKey = (operation.security ?? call.api.security ?? []).length > 0;
  return make("section", { class: "call", id: anchor, "aria-labelledby": `${anchor}-title` },
    make("div", { class: "said" },
      make("h3", { id: `${anchor}-title` },
        make("span", { class: `method ${method}`, text: method.toUpperCase() }), " ", make("code", { text: path })),
      make("p", { class: "summary" }, operation.summary ?? ""),
      ...(needsKey ? [make("p", { class: "key", text: "Needs an API key." })] : []),
      ...prose(operation.description), ...parametersOf(call), ...bodyOf(call), ...responsesOf(call)),
    make("div", { class: "shown" },
      ...curlLines(call).map(({ name, line }) => sample(name, line, true)), ...answerSample(call)));
}

// The page ---------------------------------------------------------------------------------------------------

/** A path that may go on in the next line behind a slash. */
function breakable(path) {
  return path.split(/(?<=\/)/).flatMap((part) => [part, make("wbr")]);
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

/** The list of calls: always open beside them, to be folded where it is above them. */
function contents(groups) {
  const list = make("details", {}, make("summary", { text: "All calls" }), ...listed(groups));
  const isBeside = matchMedia("(min-width: 861px)");
  const fold = () => {
    list.open = isBeside.matches;
  };
  isBeside.addEventListener("change", fold);
  fold();
  return list;
}

function listed(groups) {
  return groups.flatMap(([name, { calls }]) => [
    make("h2", { text: capital(name) }),
    make("ul", {}, ...calls.map(({ method, path, anchor }) =>
      make("li", {}, make("a", { href: `#${anchor}` },
        make("span", { class: `method ${method}`, text: method.toUpperCase() }), " ", make("span", {}, ...breakable(path)))))),
  ]);
}

async function start() {
  const place = byId("calls");
  try {
    const response = await fetch(new URL("openapi.json", document.baseURI));
    if (!response.ok) throw new Error(`openapi.json: status ${response.status}`);
    const api = await response.json();
    const title = api.info?.title ?? "API";
    byId("brand").textContent = title;
    byId("docs-title").textContent = `${title} API`;
    document.title = `${title} API`;
    byId("intro").replaceChildren(...prose(api.info?.description),
      make("p", { class: "small" }, `Version ${api.info?.version ?? "?"}. The same for programs: `,
        make("a", { href: "openapi.json", text: "openapi.json" }), "."));
    const groups = grouped(api);
    byId("contents").replaceChildren(contents(groups));
    for (const [name, { description, calls }] of groups) {
      place.append(make("h2", { class: "group", text: capital(name) }), ...prose(description), ...calls.map(section));
    }
    if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  } catch (error) {
    byId("intro").replaceChildren(
      make("p", { role: "alert", text: `The reference cannot be shown: ${error.message}. Load the page again.` }));
  }
  place.setAttribute("aria-busy", "false");
}

start();
