// Whole collections in files: kept elsewhere, brought back, restored under any name, deleted.

import { Problem, request, send } from "../api.js";
import { make } from "../dom.js";
import { bytesText, text } from "../text.js";
import { ProblemBox, button, confirmed, field } from "../ui.js";
import { linkTo } from "../views.js";

// Codes of answers to those who may not have them: no key for it, or it is on the operators' own port.
const ELSEWHERE = new Set(["forbidden", "not_found", "unauthorized"]);
const TYPE = "application/x-tar";

export class SnapshotList {
  #controller = new AbortController();

  /** @param {import("../app.js").Shell} shell */
  constructor(shell) {
    this.shell = shell;
    this.problem = new ProblemBox();
    this.note = make("p", "note");
    this.list = make("ul", "lines files");
    this.input = make("input");
    Object.assign(this.input, { type: "file", accept: ".snapshot", hidden: true });
    this.input.addEventListener("change", () => {
      const [file] = this.input.files;
      this.input.value = "";
      if (file) this.#add(file);
    });
    this.status = make("p", "note");
    this.status.setAttribute("role", "status");
    this.bar = make("progress");
    this.bar.setAttribute("aria-label", text("snapshots.progress"));
    this.choose = button("snapshots.send", () => this.input.click());
    this.cancel = button("cancel", () => this.#controller.abort());
    this.sending = make("div", "stack", this.input, this.bar, make("div", "actions", this.choose, this.cancel));
    this.#busy(false);
    const title = make("h2", "", text("snapshots.title"));
    this.element = make("section", "box stack", title, this.problem.element, this.note, this.list, this.status,
      this.sending);
  }

  async refresh() {
    try {
      const { snapshots } = await request("snapshots");
      this.note.textContent = snapshots.length ? "" : text("snapshots.none");
      this.list.replaceChildren(...snapshots.map((one) => this.#line(one)));
      this.sending.hidden = false;
    } catch (error) {
      this.list.replaceChildren();
      this.sending.hidden = ELSEWHERE.has(error.code);
      this.note.textContent = this.sending.hidden ? text("snapshots.elsewhere") : error.message;
    }
    this.note.hidden = !this.note.textContent;
  }

  #line({ name, bytes }) {
    const link = make("a", "", name);
    link.href = `snapshots/${encodeURIComponent(name)}`;
    link.download = name;
    const restore = () => this.#restore(name, name.replace(/-(\d{8}T|sent-).*$/, ""));
    const actions = make("span", "actions",
      button("snapshots.restore", () => this.problem.guard(restore)),
      button("delete", () => this.problem.guard(() => this.#delete(name))),
    );
    return make("li", "", make("span", "grow", link, " ", make("small", "", bytesText(bytes))), actions);
  }

  /** Sends a file, and once it is known to be whole asks what to make of it. @param {File} file */
  #add(file) {
    return this.problem.guard(async () => {
      const { name, collection } = await this.#send(file);
      await this.refresh();
      // Who has gone on to something else finds it in the list.
      if (this.element.offsetParent) this.problem.guard(() => this.#restore(name, collection.name));
    });
  }

  /** @param {File} file */
  async #send(file) {
    const { maxSnapshotBytes } = this.shell.limits;
    const size = bytesText(maxSnapshotBytes);
    if (file.size > maxSnapshotBytes) throw new Problem("body_too_large", text("megabytes", { size }));
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    this.status.textContent = text("snapshots.sending", { name: file.name, size: bytesText(file.size) });
    this.bar.value = 0;
    this.#busy(true);
    const onProgress = (sent) => this.#progress(sent, file.size);
    try {
      const kept = await send("snapshots", file, { type: TYPE, signal, onProgress });
      const { name: collection, count } = kept.collection;
      this.status.textContent = text("snapshots.sent", { name: file.name, count, collection });
      return kept;
    } catch (error) {
      this.status.textContent = signal.aborted ? text("snapshots.stopped") : "";
      throw error;
    } finally {
      this.#busy(false);
    }
  }

  #progress(sent, all) {
    this.bar.value = all ? sent / all : 1;
    if (sent >= all) this.status.textContent = text("snapshots.verifying");
  }

  #busy(busy) {
    const held = this.sending.contains(document.activeElement);
    this.bar.hidden = this.cancel.hidden = !busy;
    this.choose.hidden = busy;
    if (held) (busy ? this.cancel : this.choose).focus();
  }

  async #restore(snapshot, proposed) {
    const name = make("input");
    Object.assign(name, { required: true, pattern: "[a-z0-9_\\-]{1,64}", value: proposed });
    const words = text("snapshots.restore.sure", { name: snapshot });
    if (!await confirmed(words, "snapshots.restore", field("collections.name", name))) return;
    this.status.textContent = text("snapshots.restoring", { name: snapshot });
    try {
      await this.#put(name.value, snapshot);
    } finally {
      this.status.textContent = "";
    }
    location.hash = linkTo("collections", name.value);
  }

  /** Where there is a collection of that name, it gives way once somebody is sure of it. */
  async #put(name, snapshot) {
    const put = (replace) => {
      const body = JSON.stringify({ snapshot, replace });
      const headers = { "Content-Type": "application/json" };
      return request(`collections/${name}/restore`, { method: "POST", headers, body });
    };
    try {
      await put(false);
    } catch (error) {
      if (error.code !== "collection_exists") throw error;
      if (!await confirmed(text("snapshots.replace.sure", { name, snapshot }), "snapshots.replace")) throw error;
      await put(true);
    }
  }

  async #delete(name) {
    if (!await confirmed(text("snapshots.delete.sure", { name }), "delete")) return;
    await request(`snapshots/${encodeURIComponent(name)}`, { method: "DELETE" });
    await this.refresh();
  }
}
