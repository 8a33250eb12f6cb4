// All collections: what is in them, how they are searched; a new one, and those that were put into files.

import { patientRequest, request } from "../api.js";
import { make } from "../dom.js";
import { bytesText, text, written } from "../text.js";
import { ProblemBox, button, facts, field, select } from "../ui.js";
import { linkTo } from "../views.js";
import { SnapshotList } from "./snapshots.js";

const KINDS = ["images", "audio", "captions", "keywords"];
const NAME = "[a-z0-9_\\-]{1,64}";

/**
 * @typedef {{name: string, status: string, detail: string | null, kind: string | null, version: number | null,
 *   count: number | null, bytes: number | null, media_bytes: number | null, model: string | null, recipe: string | null, recall: number | null}} Collection
 */

/** What the service tells of a collection, in words. @param {Collection} one */
export function describe(one) {
  const share = { style: "percent", maximumFractionDigits: 1 };
  return facts([
    ["collections.kind", text(`collections.kind.${one.kind}`)],
    ["collections.items", written(one.count)],
    ...(one.bytes === null ? [] : [["collections.size", bytesText(one.bytes)]]),
    ...(one.media_bytes ? [["collections.media", bytesText(one.media_bytes)]] : []),
    ["collections.index", one.recipe === "Flat" ? text("collections.index.flat") : one.recipe],
    ["collections.recall", one.recall === null ? text("collections.recall.none") : written(one.recall, share)],
    ["collections.version", written(one.version)],
    ["collections.model", one.model.slice(0, 12)],
  ]);
}

export class CollectionList {
  /** @param {import("../app.js").Shell} shell */
  constructor(shell) {
    this.shell = shell;
    this.problem = new ProblemBox();
    this.cards = make("ul", "cards");
    this.snapshots = new SnapshotList(shell);
    this.element = make("div", "stack", this.problem.element, this.cards, this.#form(), this.snapshots.element);
  }

  /** Asks anew. */
  refresh() {
    this.snapshots.refresh();
    return this.problem.guard(async () => {
      const patience = { onWait: () => {}, untilReady: (signal) => this.shell.readiness.untilReady(signal) };
      const { signal } = new AbortController();
      const { answer } = await patientRequest("collections", { signal }, patience);
      this.cards.replaceChildren(...answer.collections.map((one) => make("li", "card", ...card(one))));
    });
  }

  #form() {
    const name = make("input");
    const rule = { pattern: NAME, maxLength: 64, title: text("collections.name.rule") };
    Object.assign(name, { required: true, ...rule, autocomplete: "off", spellcheck: false });
    const kind = select(Object.fromEntries(KINDS.map((one) => [one, text(`collections.kind.${one}`)])));
    const go = make("button", "filled", text("collections.create"));
    go.type = "submit";
    const form = make("form", "row", field("collections.name", name), field("collections.kind", kind), go);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.problem.guard(() => this.#create(name, kind.value));
    });
    return make("section", "box", make("h2", "", text("collections.new")), form);
  }

  async #create(name, kind) {
    const made = name.value;
    const headers = { "Content-Type": "application/json" };
    await request(`collections/${made}`, { method: "PUT", headers, body: JSON.stringify({ kind }) });
    name.value = "";
    location.hash = linkTo("collections", made);
  }
}

/** @param {Collection} one @returns {Node[]} */
function card(one) {
  const link = make("a", "", one.name);
  link.href = linkTo("collections", one.name);
  const title = make("h2", "", link);
  return one.status === "ready" ? [title, describe(one)] : [title, make("p", "note", one.detail ?? one.status)];
}
