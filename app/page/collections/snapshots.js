// Whole collections in files: kept elsewhere, restored under any name, deleted.

import { request } from "../api.js";
import { make } from "../dom.js";
import { bytesText, text } from "../text.js";
import { ProblemBox, button, confirmed, field } from "../ui.js";
import { linkTo } from "../views.js";

// Codes of answers to those who may not have them: no key for it, or it is on the operators' own port.
const ELSEWHERE = new Set(["forbidden", "not_found", "unauthorized"]);

export class SnapshotList {
  /** @param {import("../app.js").Shell} shell @param {() => void} changed */
  constructor(shell, changed) {
    this.changed = changed;
    this.problem = new ProblemBox();
    this.note = make("p", "note");
    this.list = make("ul", "lines");
    const title = make("h2", "", text("snapshots.title"));
    this.element = make("section", "box", title, this.problem.element, this.note, this.list);
  }

  async refresh() {
    try {
      const { snapshots } = await request("snapshots");
      this.note.textContent = snapshots.length ? "" : text("snapshots.none");
      this.list.replaceChildren(...snapshots.map((one) => this.#line(one)));
    } catch (error) {
      this.list.replaceChildren();
      this.note.textContent = ELSEWHERE.has(error.code) ? text("snapshots.elsewhere") : error.message;
    }
    this.note.hidden = !this.note.textContent;
  }

  #line({ name, bytes }) {
    const link = make("a", "", name);
    link.href = `snapshots/${encodeURIComponent(name)}`;
    link.download = name;
    const actions = make("span", "actions",
      button("snapshots.restore", () => this.problem.guard(() => this.#restore(name))),
      button("delete", () => this.problem.guard(() => this.#delete(name))),
    );
    return make("li", "", make("span", "grow", link, " ", make("small", "", bytesText(bytes))), actions);
  }

  async #restore(snapshot) {
    const name = make("input");
    Object.assign(name, { required: true, pattern: "[a-z0-9_\\-]{1,64}", value: snapshot.replace(/-\d{8}T.*$/, "") });
    const replace = make("input");
    replace.type = "checkbox";
    const check = make("label", "check", replace, text("snapshots.replace"));
    const words = text("snapshots.restore.sure", { name: snapshot });
    if (!await confirmed(words, "snapshots.restore", field("collections.name", name), check)) return;
    const body = JSON.stringify({ snapshot, replace: replace.checked });
    const headers = { "Content-Type": "application/json" };
    await request(`collections/${name.value}/restore`, { method: "POST", headers, body });
    location.hash = linkTo("collections", name.value);
  }

  async #delete(name) {
    if (!await confirmed(text("snapshots.delete.sure", { name }), "delete")) return;
    await request(`snapshots/${encodeURIComponent(name)}`, { method: "DELETE" });
    await this.refresh();
  }
}
