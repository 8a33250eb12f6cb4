// The reference of the HTTP API, drawn from /openapi.json.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function table(headings, rows) {
  const head = element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(({ id = "", cells }) => element("tr", { id }, ...cells.map((cell) => element("td", {}, cell))));
  return element("div", { className: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

const code = (text) => element("code", {}, text);

function typeOf(schema = {}) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return element("a", { href: `#schema-${name}` }, name);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    return joined(choices.map(typeOf), " or ");
  }
  if (schema.enum || schema.const !== undefined) {
    return joined((schema.enum ?? [schema.const]).map((value) => code(JSON.stringify(value))), ", ");
  }
  if (schema.type === "array") {
    return joined([element("span", {}, "list of "), typeOf(schema.items)], "");
  }
  return element("span", {}, [schema.contentEncoding ?? schema.format, schema.type ?? "any"].filter(Boolean).join(" "));
}

function joined(nodes, separator) {
  const parts = nodes.flatMap((node, index) => (index ? [separator, node] : [node]));
  return element("span", {}, ...parts);
}

function limits(schema = {}) {
  const sources = [schema, ...(schema.anyOf ?? [])];
  const find = (key) => sources.map((source) => source[key]).find((value) => value !== undefined);
  const named = { minimum: "at least", maximum: "at most", minLength: "shortest", maxLength: "longest", maxItems: "most items" };
  const found = Object.entries(named).filter(([key]) => find(key) !== undefined).map(([key, text]) => `${text} ${find(key)}`);
  if (schema.default !== undefined && schema.default !== null) {
    found.push(`default ${JSON.stringify(schema.default)}`);
  }
  return [schema.description, found.length ? `(${found.join(", ")})` : ""].filter(Boolean).join(" ");
}

function fields(schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    cells: [code(name), typeOf(property), limits(property)],
  }));
  return table(["Field", "Type", "Meaning"], rows);
}

function content(heading, types) {
  const rows = Object.entries(types ?? {}).map(([type, { schema }]) => {
    const named = schema?.$ref || !schema?.properties;
    return { cells: [code(type), named ? typeOf(schema) : fields(schema)] };
  });
  return rows.length ? [element("h4", {}, heading), table(["Content-Type", "Content"], rows)] : [];
}

function operationId(method, path) {
  return `${method}-${path}`.replaceAll(/[^a-z0-9]+/gi, "-");
}

function operation(method, path, what) {
  const parameters = (what.parameters ?? []).map((one) => ({
    cells: [code(one.name), one.in, typeOf(one.schema), [one.description, limits(one.schema)].filter(Boolean).join(" ")],
  }));
  const responses = Object.entries(what.responses).map(([status, one]) => ({
    cells: [code(status), one.description, joined(Object.entries(one.content ?? {}).map(([type, { schema }]) => joined([typeOf(schema), code(type)], " ")), ", ")],
  }));
  return element(
    "section",
    { className: "card", id: operationId(method, path) },
    element("h3", {}, element("span", { className: "method" }, method.toUpperCase()), code(path)),
    element("p", {}, what.description ?? what.summary ?? ""),
    ...(parameters.length ? [element("h4", {}, "Parameters"), table(["Name", "In", "Type", "Meaning"], parameters)] : []),
    ...content("Body, one of", what.requestBody?.content),
    element("h4", {}, "Answers"),
    table(["Status", "Meaning", "Content"], responses),
  );
}

function operations(document_) {
  const found = Object.entries(document_.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method, path, what: item[method] })),
  );
  return Map.groupBy ? Map.groupBy(found, groupOf) : grouped(found);
}

const groupOf = ({ what }) => what.tags?.[0] ?? "other";

function grouped(found) {
  const groups = new Map();
  for (const one of found) {
    groups.set(groupOf(one), [...(groups.get(groupOf(one)) ?? []), one]);
  }
  return groups;
}

function draw(document_) {
  const groups = [...operations(document_)];
  document.getElementById("about").textContent = `${document_.info.description} Version ${document_.info.version}.`;
  const links = groups.flatMap(([, members]) => members).map(({ method, path }) => [`#${operationId(method, path)}`, `${method.toUpperCase()} ${path}`]);
  links.push(["#problems", "Problems"], ["#schemas", "Shapes"]);
  document.getElementById("contents").replaceChildren(
    element("ul", {}, ...links.map(([href, text]) => element("li", {}, element("a", { href }, text)))),
  );
  const problems = document_["x-problems"].map(({ code: name, status, title }) => ({ id: name, cells: [code(name), String(status), title] }));
  const schemas = Object.entries(document_.components.schemas).map(([name, schema]) =>
    element("section", { className: "card", id: `schema-${name}` }, element("h3", {}, code(name)), element("p", {}, schema.description ?? ""), fields(schema)),
  );
  document.getElementById("reference").replaceChildren(
    ...groups.flatMap(([tag, members]) => [element("h2", {}, tag), ...members.map(({ method, path, what }) => operation(method, path, what))]),
    element("h2", { id: "problems" }, "Problems"),
    element("p", {}, "Every error is application/problem+json (RFC 9457) with one of these codes."),
    table(["Code", "Status", "Meaning"], problems),
    element("h2", { id: "schemas" }, "Shapes"),
    ...schemas,
  );
  // The place that the address names did not exist until now.
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

try {
  const response = await fetch("/openapi.json");
  draw(await response.json());
} catch (error) {
  document.getElementById("reference").textContent = `The description could not be loaded: ${error.message}`;
}
