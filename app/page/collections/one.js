// One collection: what is in it, page by page or filtered; items added and deleted; a snapshot; its end.

import { request } from "../api.js";
import { make } from "../dom.js";
import { bytesText, text } from "../text.js";
import { ProblemBox, button, confirmed } from "../ui.js";
import { linkTo } from "../views.js";
import { Filter } from "./filter.js";
import { Items } from "./items.js";
import { describe } from "./list.js";
import { Upload } from "./upload.js";

export class CollectionPage {
  /** @param {import("../app.js").Shell} shell @param {string} name */
  constructor(shell, name) {
    this.name = name;
    this.path = `collections/${encodeURIComponent(name)}`;
    this.problem = new ProblemBox();
    this.facts = make("div");
    this.done = make("p", "note");
    this.done.setAttribute("role", "status");
    this.items = new Items(name, () => this.#describe());
    this.filter = new Filter((wanted) => this.items.show(wanted), () => this.items.fields);
    this.upload = new Upload(shell, name, () => this.refresh());
    this.element = make("div", "stack", this.#head(), this.problem.element, this.facts, this.done,
      this.upload.element, this.filter.element, this.items.element);
  }

  /** Asks anew what it is and what is in it. */
  refresh() {
    return this.problem.guard(async () => {
      await this.#describe();
      await this.items.show(this.filter.wanted);
    });
  }

  close() {
    this.upload.stop();
    this.items.close();
  }

  async #describe() {
    const one = await request(this.path);
    this.facts.replaceChildren(one.status === "ready" ? describe(one) : make("p", "note", one.detail));
    this.upload.kind = one.kind;
    this.items.kind = one.kind;
  }

  #head() {
    const back = make("a", "quiet", text("collections.all"));
    back.href = linkTo("collections");
    const title = make("h2", "name", this.name);
    const actions = make("div", "actions",
      button("snapshots.make", () => this.problem.guard(() => this.#snapshot())),
      button("collections.delete", () => this.problem.guard(() => this.#delete())),
    );
    return make("div", "head", make("div", "grow", back, title), actions);
  }

  async #snapshot() {
    this.done.textContent = text("snapshots.making");
    try {
      const { name, bytes } = await request(`${this.path}/snapshot`, { method: "POST" });
      const link = make("a", "", text("snapshots.get", { name }));
      link.href = `snapshots/${encodeURIComponent(name)}`;
      link.download = name;
      this.done.replaceChildren(link, ` ${bytesText(bytes)}`);
    } catch (error) {
      this.done.textContent = "";
      throw error;
    }
  }

  async #delete() {
    if (!await confirmed(text("collections.delete.sure", { name: this.name }), "delete")) return;
    await request(this.path, { method: "DELETE" });
    location.hash = linkTo("collections");
  }
}
