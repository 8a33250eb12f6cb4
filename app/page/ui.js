// What several views are made of: buttons, labelled fields, what went wrong, and whether somebody is sure.

import { Problem } from "./api.js";
import { make, say } from "./dom.js";
import { askForKey } from "./key.js";
import { text } from "./text.js";

/** @param {string} key of its words @param {() => void} act @param {string} className */
export function button(key, act, className = "filled plain") {
  const made = make("button", className, text(key));
  made.addEventListener("click", act);
  return made;
}

let fields = 0;

/** @param {string} key of its words @param {HTMLElement} control @returns {HTMLDivElement} */
export function field(key, control) {
  fields += 1;
  control.id = `field-${fields}`;
  const label = make("label", "", text(key));
  label.htmlFor = control.id;
  return make("div", "field", label, control);
}

/** @param {Record<string, string>} choices value -> words @returns {HTMLSelectElement} */
export function select(choices, value = Object.keys(choices)[0]) {
  const made = make("select", "", ...Object.entries(choices).map(([one, words]) => new Option(words, one)));
  made.value = value;
  return made;
}

/** @param {[string, string | Node][]} rows key of the words, value @returns {HTMLDListElement} */
export const facts = (rows) => make("dl", "facts", ...rows.map(([key, value]) => (
  make("div", "", make("dt", "", text(key)), make("dd", "", value))
)));

/** Says what went wrong, and offers what may help. */
export class ProblemBox {
  constructor() {
    this.title = make("p", "problem-title");
    this.detail = make("p", "problem-detail");
    this.actions = make("div", "problem-actions");
    this.element = make("div", "problem", this.title, this.detail, this.actions);
    this.element.setAttribute("role", "alert");
    this.hide();
  }

  hide() {
    this.element.hidden = true;
  }

  /** @param {any} error @param {() => void} [again] what to do once more */
  show(error, again) {
    if (error.name === "AbortError") return;
    const { message, detail, code } = error instanceof Problem ? error : new Problem("page", String(error));
    say(this.title, message);
    say(this.detail, detail);
    const retry = () => { this.hide(); again?.(); };
    const dismiss = button("dismiss", () => this.hide());
    const otherKey = button("key.other", async () => { if (await askForKey()) retry(); });
    this.actions.replaceChildren(
      ...(code === "forbidden" ? [otherKey] : []), ...(again ? [button("again", retry, "filled")] : []), dismiss,
    );
    this.element.hidden = false;
  }

  /** Runs something, and shows what went wrong in it. @param {() => Promise<void>} act */
  async guard(act) {
    this.hide();
    try {
      await act();
    } catch (error) {
      this.show(error, () => this.guard(act));
    }
  }
}

/**
 * Asks before something is done that cannot be undone.
 * @param {string} words @param {string} action key of the words on its button @param {...Node} more to be filled in
 * @returns {Promise<boolean>}
 */
export function confirmed(words, action, ...more) {
  const title = make("h2", "", words);
  title.id = "sure-title";
  const go = make("button", "filled", text(action));
  go.type = "submit";
  const form = make("form", "", title, ...more);
  form.method = "dialog";
  const dialog = make("dialog", "sure", form);
  dialog.setAttribute("aria-labelledby", title.id);
  form.append(make("div", "actions", go, button("cancel", () => dialog.close())));
  go.value = "yes";
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    }, { once: true });
  });
}
