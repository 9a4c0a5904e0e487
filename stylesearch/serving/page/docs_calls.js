// Lines for a shell: what to type to make a call.

import { exampleOf, isFile, resolved, sample } from "./docs_schema.js";

/** Safe between words of a shell. */
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

/** The key comes from the environment, so that nobody puts it into the history of a shell. */
const KEY_HEADER = '-H "Authorization: Bearer $STYLESEARCH_API_KEY"';

/**
 * One curl line for each way to send the call.
 * @returns {{name: string, line: string}[]}
 */
export function curlLines({ method, path, operation, parameters, api }) {
  const start = ["curl"];
  if (method !== "get" && !(method === "post" && operation.requestBody)) start.push(`-X ${method.toUpperCase()}`);
  if (method === "head") start.splice(1, 1, "-I");
  if ((operation.security ?? api.security ?? []).length) start.push(KEY_HEADER);
  const address = quoted(addressOf(path, parameters, api));
  const content = Object.entries(resolved(operation.requestBody, api).content ?? {});
  if (!content.length) return [{ name: "curl", line: [...start, address].join(" ") }];
  return content.map(([type, media]) => {
    const body = bodyOf(type, media, api);
    return { name: type, line: [[...start, body[0] ?? ""].join(" "), ...body.slice(1), address].join(" \\\n  ") };
  });
}

function addressOf(path, parameters, api) {
  const url = new URL(path.replace(/^\//, ""), document.baseURI);
  let text = decodeURI(url.href);
  const query = new URLSearchParams();
  for (const parameter of parameters) {
    const value = givenExample(parameter, api);
    if (parameter.in === "path") text = text.replace(`{${parameter.name}}`, encodeURI(String(value ?? parameter.name)));
    else if (parameter.in === "query" && value !== undefined) query.set(parameter.name, String(value));
  }
  return String(query) ? `${text}?${query}` : text;
}

/** Of what may be left out, only what the reference gives an example of. */
function givenExample(parameter, api) {
  if (parameter.example !== undefined) return parameter.example;
  const [named] = Object.values(parameter.examples ?? {});
  if (named) return resolved(named, api).value;
  const schema = resolved(parameter.schema, api);
  const given = schema.example ?? schema.examples?.[0];
  if (given !== undefined) return given;
  return parameter.required ? sample(parameter.schema ?? {}, api) : undefined;
}

function bodyOf(type, media, api) {
  if (type !== "multipart/form-data") {
    return [`-H ${quoted(`Content-Type: ${type}`)}`, `-d ${quoted(JSON.stringify(exampleOf(media, api)))}`];
  }
  const schema = resolved(media.schema, api);
  const given = media.example ?? Object.values(media.examples ?? {})[0]?.value ?? {};
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const inner = resolved(property, api);
    const items = inner.type === "array" ? resolved(inner.items, api) : null;
    if (items && isFile(items)) return [`-F ${name}=@front.jpg`, `-F ${name}=@back.jpg`];
    if (isFile(inner)) return [`-F ${name}=@photo.jpg`];
    const value = given[name] ?? inner.example ?? inner.examples?.[0];
    const isNeeded = schema.required?.includes(name);
    if (value === undefined && !isNeeded) return [];
    const text = value ?? sample(property, api);
    return [`-F ${quoted(`${name}=${typeof text === "object" ? JSON.stringify(text) : text}`)}`];
  });
}
