// Items on their way into a collection: a few at a time, and those that are refused are named.

import { patientRequest } from "../api.js";
import { make } from "../dom.js";
import { text } from "../text.js";
import { button, field } from "../ui.js";

const MOST_FILES = 8;
const MOST_BYTES = 8 * 1024 * 1024;
const MOST_TEXTS = 64;
const ACCEPT = { images: "image/*", audio: "audio/*,.webm,.m4a,.ogg,.opus" };

/** Parts of a list that are within a number and a sum of sizes; what is too big by itself is alone. */
export function* batches(items, most, mostBytes, size) {
  let batch = [];
  let bytes = 0;
  for (const item of items) {
    if (batch.length && (batch.length === most || bytes + size(item) > mostBytes)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(item);
    bytes += size(item);
  }
  if (batch.length) yield batch;
}

export class Upload {
  #kind = "images";
  #controller = null;
  #items = [];
  #failed = [];

  /** @param {import("../app.js").Shell} shell @param {string} name of the collection @param {() => void} stored */
  constructor(shell, name, stored) {
    this.shell = shell;
    this.path = `collections/${encodeURIComponent(name)}/items`;
    this.stored = stored;
    this.input = make("input");
    Object.assign(this.input, { type: "file", multiple: true, hidden: true });
    this.input.addEventListener("change", () => {
      this.add([...this.input.files]);
      this.input.value = "";
    });
    this.lines = make("textarea");
    this.lines.rows = 4;
    this.status = make("p", "note");
    this.status.setAttribute("role", "status");
    this.bar = make("progress");
    this.bar.setAttribute("aria-label", text("upload.progress"));
    this.failures = make("ul", "failures");
    this.again = button("upload.again", () => this.#send(this.#failed));
    this.cancel = button("cancel", () => this.stop());
    this.source = make("div", "stack");
    const end = make("div", "actions", this.cancel, this.again);
    const title = make("h2", "", text("upload.title"));
    this.element = make("section", "box stack", title, this.source, this.bar, this.status, this.failures, end);
    this.#busy(false);
    this.kind = "images";
  }

  get takesFiles() {
    return this.#kind in ACCEPT;
  }

  /** What the collection takes. @param {string} kind */
  set kind(kind) {
    this.#kind = kind;
    this.input.accept = ACCEPT[kind] ?? "";
    this.element.hidden = !kind;
    if (this.takesFiles) {
      const choose = button("upload.choose", () => this.input.click(), "filled");
      const hint = make("span", "note wide-only", text("upload.drop"));
      this.source.replaceChildren(make("p", "row", choose, hint), this.input);
    } else if (!this.lines.isConnected) {
      const words = field("upload.lines", this.lines);
      const add = button("upload.add", () => this.#addLines(), "filled");
      this.source.replaceChildren(words, make("div", "actions", add));
    }
  }

  /** @param {File[]} files */
  add(files) {
    if (files.length) this.#send(files);
  }

  stop() {
    this.#controller?.abort();
  }

  #addLines() {
    const lines = this.lines.value.split("\n").map((line) => line.trim()).filter(Boolean);
    this.lines.value = "";
    if (lines.length) this.#send(lines);
  }

  /** What comes while others are on their way is sent after them. @param {(File | string)[]} items */
  async #send(items) {
    if (this.#controller) {
      this.#items.push(...items);
      return;
    }
    this.#items = [...items];
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    this.#failed = [];
    this.failures.replaceChildren();
    this.#busy(true);
    const most = Math.min(this.takesFiles ? MOST_FILES : MOST_TEXTS, this.shell.limits.maxItems);
    const bytes = Math.min(MOST_BYTES, this.shell.limits.maxBatchBytes / 2);
    let done = 0;
    while (done < this.#items.length) {
      for (const batch of batches(this.#items.slice(done), most, bytes, (item) => item.size ?? 0)) {
        this.#progress(done, this.#items.length);
        if (!signal.aborted) await this.#batch(batch, signal);
        done += batch.length;
        if (signal.aborted) this.#failed.push(...batch.filter((item) => !this.#failed.includes(item)));
      }
    }
    this.#end(done, signal.aborted);
  }

  /** A batch is stored wholly or not at all: without those that are refused, the rest is sent again. */
  async #batch(batch, signal) {
    let left = batch;
    while (left.length && !signal.aborted) {
      try {
        await patientRequest(this.path, { ...bodyOf(left, this.#kind), signal }, this.#patience());
        return;
      } catch (error) {
        if (signal.aborted) return;
        const refused = refusedOf(error, left);
        for (const { item, why } of refused) this.#refuse(item, why);
        left = left.filter((item) => !refused.some((one) => one.item === item));
      }
    }
  }

  #patience() {
    return {
      onWait: (seconds) => { this.status.textContent = text("upload.wait", { seconds: Math.ceil(seconds) }); },
      untilReady: (signal) => this.shell.readiness.untilReady(signal),
    };
  }

  #refuse(item, why) {
    this.#failed.push(item);
    this.failures.append(make("li", "", make("strong", "", item.name ?? item), ` ${why}`));
  }

  #progress(done, all) {
    this.bar.max = all;
    this.bar.value = done;
    this.status.textContent = text("upload.done", { count: done, all });
  }

  #end(all, stopped) {
    this.#controller = null;
    this.#busy(false);
    const count = all - this.#failed.length;
    const failed = this.#failed.length;
    const words = [text("upload.stored", { count }), failed ? text("upload.failed", { count: failed }) : ""];
    this.status.textContent = [stopped ? text("upload.stopped") : "", ...words].filter(Boolean).join(" ");
    this.again.hidden = !failed;
    this.stored();
  }

  #busy(busy) {
    this.bar.hidden = this.cancel.hidden = !busy;
    this.again.hidden = true;
  }
}

// Fields of a form, by the kind of the collection.
const FIELDS = { images: "image", audio: "audio" };

/** @param {(File | string)[]} items @param {string} kind @returns {RequestInit} */
function bodyOf(items, kind) {
  if (typeof items[0] === "string") {
    const body = JSON.stringify({ items: items.map((words) => ({ text: words })) });
    return { method: "POST", headers: { "Content-Type": "application/json" }, body };
  }
  const form = new FormData();
  for (const file of items) form.append(FIELDS[kind], file, file.name);
  return { method: "POST", body: form };
}

/** Which items an answer refuses: those that it names, else all of them. @param {any} error */
function refusedOf(error, items) {
  const named = (error.errors ?? []).map(({ field, detail }) => ({ at: /^items\.(\d+)/.exec(field)?.[1], detail }));
  const found = named.filter(({ at }) => at !== undefined && items[Number(at)] !== undefined);
  if (!found.length) return items.map((item) => ({ item, why: error.message }));
  return found.map(({ at, detail }) => ({ item: items[Number(at)], why: detail }));
}
