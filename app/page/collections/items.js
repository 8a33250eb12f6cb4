// The items of a collection: as they are listed, a page at a time, or those that a search lets through.

import { mediaUrl, request } from "../api.js";
import { make } from "../dom.js";
import { playButton } from "../search/wave.js";
import { text } from "../text.js";
import { ProblemBox, button, confirmed } from "../ui.js";

const PAGE = 60;

/**
 * @typedef {{id: string, caption: string | null, uri: string | null, metadata: object, score?: number}} Item
 * @typedef {{text: string, filter: object | null}} Wanted
 */

export class Items {
  #controller = new AbortController();
  #cursor = null;
  /** @type {Wanted | null} */
  #wanted = null;
  kind = "images";
  /** Fields that were met in items, for the filter to offer. @type {Set<string>} */
  fields = new Set(["id", "caption", "uri"]);

  /** @param {string} name of the collection @param {() => Promise<void>} changed */
  constructor(name, changed) {
    this.name = name;
    this.changed = changed;
    this.problem = new ProblemBox();
    this.status = make("p", "note");
    this.status.setAttribute("role", "status");
    this.title = make("h2", "", text("items.title"));
    this.title.tabIndex = -1;
    this.list = make("ul", "grid items");
    this.more = button("items.more", () => this.problem.guard(() => this.#next(false)));
    this.more.hidden = true;
    this.element = make("section", "", this.title, this.problem.element, this.status, this.list, this.more);
  }

  /** Shows the first page, or what a search finds. @param {Wanted | null} wanted */
  show(wanted) {
    this.#controller.abort();
    this.#controller = new AbortController();
    this.#cursor = null;
    this.#wanted = wanted;
    return this.problem.guard(() => this.#next(true));
  }

  close() {
    this.#controller.abort();
  }

  #next(first) {
    return this.#wanted ? this.#search(this.#wanted, first ? 0 : this.list.children.length) : this.#page(first);
  }

  async #page(first) {
    const { signal } = this.#controller;
    const cursor = first ? "" : `&cursor=${encodeURIComponent(this.#cursor)}`;
    const path = `collections/${encodeURIComponent(this.name)}/items?limit=${PAGE}${cursor}`;
    const page = await request(path, { signal });
    if (signal.aborted) return;
    this.#cursor = page.cursor;
    this.#fill(page.items, first);
    this.more.hidden = page.cursor === null;
    const count = this.list.children.length;
    this.status.textContent = text("items.shown", { count, all: page.collection.count });
  }

  /** Without words the order is that of likeness to the first item, as a search has to be for something. */
  async #search({ text: words, filter }, offset) {
    const { signal } = this.#controller;
    const query = words ? { text: words } : await this.#anyItem(signal);
    const body = JSON.stringify({ ...query, top_k: PAGE, offset, ...(filter ? { filter } : {}) });
    const headers = { "Content-Type": "application/json" };
    const path = `search/${encodeURIComponent(this.name)}`;
    const answer = query && await request(path, { method: "POST", headers, body, signal });
    if (signal.aborted) return;
    const results = answer?.results ?? [];
    this.#fill(results, !offset);
    this.more.hidden = results.length < PAGE;
    this.status.textContent = text("items.found", { count: this.list.children.length });
  }

  async #anyItem(signal) {
    const { items } = await request(`collections/${encodeURIComponent(this.name)}/items?limit=1`, { signal });
    return items.length ? { id: items[0].id } : null;
  }

  /** @param {Item[]} items @param {boolean} anew */
  #fill(items, anew) {
    for (const { metadata } of items) for (const key of Object.keys(metadata ?? {})) this.fields.add(fieldOf(key));
    const tiles = items.map((item) => make("li", "tile item", ...this.#tile(item)));
    if (anew) this.list.replaceChildren(...tiles);
    else this.list.append(...tiles);
    if (!anew) tiles[0]?.querySelector("button")?.focus();
  }

  /** @param {Item} item */
  #tile(item) {
    const name = item.caption || item.id;
    const remove = button("delete", () => this.problem.guard(() => this.#delete(item, remove.closest("li"))), "link");
    remove.setAttribute("aria-label", text("items.delete", { name }));
    const score = item.score === undefined ? [] : [make("span", "score", item.score.toFixed(3))];
    const line = make("span", "item-line", ...score, remove);
    return [...this.#media(item, name), make("span", "name", name), ...details(item), line];
  }

  #media(item, name) {
    if (!item.uri) return [];
    if (this.kind === "images") return [picture(this.name, item)];
    if (this.kind !== "audio") return [];
    const audio = new Audio();
    audio.preload = "none";
    audio.src = mediaUrl(this.name, item.id);
    return [playButton(audio, name)];
  }

  async #delete(item, tile) {
    const name = item.caption || item.id;
    if (!await confirmed(text("items.delete.sure", { name }), "delete")) return;
    const path = `collections/${encodeURIComponent(this.name)}/items/${encodeURIComponent(item.id)}`;
    await request(path, { method: "DELETE" });
    const next = tile.nextElementSibling ?? tile.previousElementSibling;
    tile.remove();
    (next?.querySelector("button") ?? this.title).focus();
    this.status.textContent = text("items.deleted", { name });
    await this.changed();
  }
}

/** As a filter names it: a dot in a key is not a way into an object. @param {string} key */
const fieldOf = (key) => `metadata.${key.replace(/[\\.]/g, "\\$&")}`;

/** @param {Item} item */
function details(item) {
  const known = Object.entries(item.metadata ?? {});
  if (!known.length) return [];
  const rows = known.map(([key, value]) => make("div", "", make("dt", "", key), make("dd", "", plain(value))));
  return [make("details", "", make("summary", "", text("items.details")), make("dl", "", ...rows))];
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** The caption beside it names the picture. */
function picture(collection, item) {
  const image = make("img");
  image.alt = item.caption ? "" : item.id;
  image.loading = "lazy";
  image.decoding = "async";
  image.src = mediaUrl(collection, item.id);
  const frame = make("span", "frame", image);
  image.addEventListener("error", () => {
    image.remove();
    frame.classList.add("missing");
    frame.dataset.missing = text("picture.missing");
  });
  return frame;
}
