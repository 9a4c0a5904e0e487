// OpenAPI's schemas as words, as rows of a table, and as examples.

/** Levels of nesting that are written out; a schema that holds itself ends there too. */
const DEEPEST = 5;

/** What a $ref points at, or the thing itself. */
export function resolved(thing, api) {
  let found = thing ?? {};
  for (let hops = 0; found.$ref && hops < 20; hops += 1) {
    const parts = found.$ref.replace(/^#\//, "").split("/");
    found = parts.reduce((place, part) => place?.[part.replace(/~1/g, "/").replace(/~0/g, "~")], api) ?? {};
  }
  return found;
}

function choices(schema, api) {
  const several = schema.anyOf ?? schema.oneOf;
  if (!several) return [schema];
  return several.map((one) => resolved(one, api));
}

const isNull = (schema) => schema.type === "null";

/** The one schema that matters where the other choice is null. */
function main(schema, api) {
  const found = resolved(schema, api);
  if (found.allOf?.length === 1) return main(found.allOf[0], api);
  const kinds = choices(found, api).filter((one) => !isNull(one));
  return kinds.length === 1 ? kinds[0] : found;
}

/** "integer", "list of text", "file or null". */
export function typeInWords(schema, api) {
  const found = resolved(schema, api);
  const words = choices(found, api).map((one) => ofOne(one, api));
  return [...new Set(words)].join(" or ");
}

function ofOne(schema, api) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" or ");
  if (schema.allOf?.length === 1) return typeInWords(schema.allOf[0], api);
  if (schema.type === "array") return `list of ${typeInWords(schema.items ?? {}, api)}`;
  if (isFile(schema)) return "file";
  if (schema.type === "string") return "text";
  if (schema.properties || schema.type === "object") return "object";
  return schema.type ?? "anything";
}

export function isFile(schema) {
  return schema.format === "binary" || Boolean(schema.contentMediaType);
}

/** "1 to 100", "at least 1", "default 20". */
export function limitsInWords(schema, api) {
  const found = main(schema, api);
  const low = found.minimum ?? found.exclusiveMinimum ?? found.minLength ?? found.minItems;
  const high = found.maximum ?? found.exclusiveMaximum ?? found.maxLength ?? found.maxItems;
  const words = [];
  if (low !== undefined && high !== undefined) words.push(low === high ? `exactly ${low}` : `${low} to ${high}`);
  else if (low !== undefined) words.push(`at least ${low}`);
  else if (high !== undefined) words.push(`at most ${high}`);
  const given = resolved(schema, api).default;
  if (given !== undefined && given !== null) words.push(`default ${JSON.stringify(given)}`);
  return words.join(", ");
}

/**
 * The properties of a schema, nested ones by their path ("hits[].product.id").
 * @returns {{name: string, type: string, limits: string, words: string, required: boolean}[]}
 */
export function rowsOf(schema, api, path = "", depth = 0) {
  const found = main(schema, api);
  if (found.type === "array" && found.items) return rowsOf(found.items, api, `${path}[]`, depth + 1);
  if (!found.properties || depth > DEEPEST) return [];
  return Object.entries(found.properties).flatMap(([name, property]) => {
    const full = path ? `${path}.${name}` : name;
    const inner = main(property, api);
    const row = {
      name: full,
      type: typeInWords(property, api),
      limits: limitsInWords(property, api),
      words: property.description ?? inner.description ?? "",
      required: found.required?.includes(name) ?? false,
    };
    return [row, ...rowsOf(inner, api, full, depth + 1)];
  });
}

/** What a media type gives as its example, or one made from its schema. */
export function exampleOf(media, api) {
  if (media.example !== undefined) return media.example;
  const [named] = Object.values(media.examples ?? {});
  if (named) return resolved(named, api).value;
  return sample(media.schema ?? {}, api);
}

export function sample(schema, api, depth = 0) {
  const outer = resolved(schema, api);
  const found = main(schema, api);
  for (const one of [outer, found]) {
    if (one.example !== undefined) return one.example;
    if (Array.isArray(one.examples) && one.examples.length) return one.examples[0];
    if (one.const !== undefined) return one.const;
    if (one.default !== undefined) return one.default;
    if (one.enum) return one.enum[0];
  }
  if (depth > DEEPEST) return null;
  const several = choices(found, api).filter((one) => !isNull(one));
  if (several.length && several[0] !== found) return sample(several[0], api, depth + 1);
  if (found.type === "array") return [sample(found.items ?? {}, api, depth + 1)];
  if (found.properties) {
    return Object.fromEntries(
      Object.entries(found.properties).map(([name, one]) => [name, sample(one, api, depth + 1)]));
  }
  return { string: "text", integer: 1, number: 0.5, boolean: true, object: {} }[found.type] ?? null;
}
