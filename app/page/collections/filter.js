// A filter put together row by row, shown as what the service is sent.

import { make } from "../dom.js";
import { text } from "../text.js";
import { button, field, select } from "../ui.js";

const OPERATORS = ["eq", "ne", "contains", "in", "lt", "lte", "gt", "gte", "exists"];
const JOINS = ["all", "any", "none"];

/** "30" -> 30, "true" -> true, "\"30\"" -> "30", and anything else is a text. @param {string} typed */
export function valueOf(typed) {
  const words = typed.trim();
  if (!/^(-?\d|"|true$|false$|null$)/.test(words)) return words;
  try {
    return JSON.parse(words);
  } catch {
    return words;
  }
}

/** @param {string} operator @param {string} typed @returns {any} what stands beside the operator */
function operand(operator, typed) {
  if (operator === "in") return typed.split(",").filter((part) => part.trim()).map(valueOf);
  if (operator === "exists") return typed.trim() !== "false";
  return valueOf(typed);
}

/**
 * @param {{name: string, operator: string, typed: string}[]} rows @param {string} join
 * @returns {object | null} in the service's language; null without rows
 */
export function filterOf(rows, join) {
  const conditions = rows.map(({ name, operator, typed }) => ({ [name]: { [operator]: operand(operator, typed) } }));
  if (!conditions.length) return null;
  if (join === "none") return { not: { or: conditions } };
  return conditions.length === 1 ? conditions[0] : { [join === "any" ? "or" : "and"]: conditions };
}

export class Filter {
  /**
   * @param {(wanted: import("./items.js").Wanted | null) => void} apply
   * @param {() => Iterable<string>} fields that there are
   */
  constructor(apply, fields) {
    this.apply = apply;
    this.fields = fields;
    /** @type {import("./items.js").Wanted | null} */
    this.wanted = null;
    this.words = make("input");
    this.words.type = "search";
    this.join = select(Object.fromEntries(JOINS.map((one) => [one, text(`filter.${one}`)])));
    this.known = make("datalist");
    this.known.id = "filter-fields";
    this.rows = make("ul", "rows");
    this.json = make("code");
    this.shown = make("pre", "json", this.json);
    this.shown.tabIndex = 0;
    this.shown.setAttribute("role", "region");
    this.shown.setAttribute("aria-label", text("filter.json"));
    this.element = make("section", "box", make("h2", "", text("filter.title")), this.#form());
    this.#show();
  }

  #form() {
    const go = make("button", "filled", text("filter.apply"));
    go.type = "submit";
    const add = button("filter.add", () => this.#add());
    const clear = button("filter.clear", () => this.#clear());
    const top = make("div", "row", field("filter.words", this.words), field("filter.join", this.join));
    const form = make("form", "stack", top, this.known, this.rows, this.shown, make("div", "actions", go, add, clear));
    form.addEventListener("input", () => this.#show());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const filter = this.#filter();
      this.wanted = filter || this.words.value.trim() ? { text: this.words.value.trim(), filter } : null;
      this.apply(this.wanted);
    });
    return form;
  }

  #add() {
    this.known.replaceChildren(...[...this.fields()].map((name) => new Option(name)));
    const name = make("input", "row-field");
    name.setAttribute("list", this.known.id);
    name.required = true;
    const operator = select(Object.fromEntries(OPERATORS.map((one) => [one, text(`filter.${one}`)])));
    const value = make("input");
    const remove = button("filter.remove", () => {
      row.remove();
      this.#show();
      this.words.focus();
    });
    const parts = [field("filter.field", name), field("filter.operator", operator), field("filter.value", value)];
    const row = this.rows.appendChild(make("li", "row", ...parts, remove));
    this.#show();
    name.focus();
  }

  #clear() {
    this.rows.replaceChildren();
    this.words.value = "";
    this.wanted = null;
    this.#show();
    this.apply(null);
  }

  #filter() {
    const rows = [...this.rows.children].map((row) => {
      const [name, value] = row.querySelectorAll("input");
      return { name: name.value.trim(), operator: row.querySelector("select").value, typed: value.value };
    });
    return filterOf(rows.filter(({ name }) => name), this.join.value);
  }

  #show() {
    const filter = this.#filter();
    this.shown.hidden = !filter;
    this.json.textContent = filter ? JSON.stringify(filter, null, 2) : "";
  }
}
