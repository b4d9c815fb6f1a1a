/** Shows the OpenAPI document as a page: routes by subject, parameters, bodies, answers. */

/**
 * @param {string} name
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * A schema with its references filled in, a few levels deep.
 * @param {any} schema
 * @param {any} all
 * @param {number} [depth]
 * @returns {any}
 */
function shape(schema, all, depth = 0) {
  if (!schema) return null;
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return depth > 5 ? name : shape(all[name], all, depth);
  }
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) {
    const kinds = schema.anyOf.map((/** @type {any} */ one) => shape(one, all, depth));
    return kinds.every((/** @type {any} */ kind) => typeof kind === "string") ? kinds.join(" | ") : kinds[0];
  }
  if (schema.type === "array") return [shape(schema.items, all, depth + 1)];
  if (schema.properties) {
    const entries = Object.entries(schema.properties);
    return Object.fromEntries(entries.map(([key, value]) => [key, shape(value, all, depth + 1)]));
  }
  if (schema.additionalProperties) return { "…": shape(schema.additionalProperties, all, depth + 1) };
  return schema.format ?? schema.type ?? "any";
}

/** Text whose words between backticks are code. @param {string} text */
const marked = (text) => text.split("`").map((part, k) => (k % 2 ? element("code", {}, part) : part));

/** @param {any} content @param {any} all */
function bodies(content, all) {
  return Object.entries(content ?? {}).map(([type, body]) =>
    element("div", {}, element("code", {}, type), element("pre", { tabindex: "0" }, JSON.stringify(shape(body.schema, all), null, 2))),
  );
}

/** @param {string} path @param {string} method @param {any} route @param {any} all */
function section(path, method, route, all) {
  const facts = element("dl");
  const add = (/** @type {string} */ name, /** @type {(Node | string)[]} */ ...what) =>
    facts.append(element("dt", {}, name), element("dd", {}, ...what));
  for (const one of route.parameters ?? []) {
    const type = shape(one.schema, all);
    const name = `${one.name} (${one.in}${one.required ? ", required" : ""})`;
    add(name, `${typeof type === "string" ? type : JSON.stringify(type)} ${one.description ?? ""}`);
  }
  if (route.requestBody) add("Body", ...bodies(route.requestBody.content, all));
  for (const [status, answer] of Object.entries(route.responses)) {
    const isProblem = "application/problem+json" in (answer.content ?? {});
    const shown = isProblem ? [] : bodies(answer.content, all);
    add(`${status} ${answer.description}`, isProblem ? "a problem document" : "", ...shown);
  }
  return element(
    "details",
    {},
    element(
      "summary",
      {},
      element("code", { class: "method" }, method.toUpperCase()),
      element("code", {}, path),
      element("span", {}, ...marked(route.description ?? "")),
    ),
    facts,
  );
}

async function show() {
  const response = await fetch("/api/openapi.json");
  const { info, paths, components } = await response.json();
  /** @type {Map<string, Node[]>} */
  const subjects = new Map();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, route] of Object.entries(methods)) {
      const subject = route.tags?.[0] ?? "other";
      const routes = subjects.get(subject) ?? [];
      routes.push(section(path, method, route, components.schemas));
      subjects.set(subject, routes);
    }
  }
  const root = /** @type {HTMLElement} */ (document.getElementById("routes"));
  root.replaceChildren(element("p", { class: "about" }, ...marked(info.description)));
  for (const [subject, routes] of subjects) root.append(element("h2", {}, subject), ...routes);
}

show();
