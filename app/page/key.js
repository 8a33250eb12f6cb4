// The key of a service that asks for one: handed in once, kept by the browser where no script can read it.

import { byId, say } from "./dom.js";
import { text } from "./text.js";

/** @type {Promise<boolean> | null} */
let asking = null;

/** Asks the person for the key, once however many requests need it. @returns {Promise<boolean>} whether it was right */
export function askForKey() {
  asking ??= ask().finally(() => { asking = null; });
  return asking;
}

async function ask() {
  const dialog = byId("key");
  const form = dialog.querySelector("form");
  say(byId("key-problem"), "");
  dialog.showModal();
  return new Promise((resolve) => {
    const send = async (event) => {
      event.preventDefault();
      if (await isRight(byId("key-text").value.trim())) dialog.close("right");
      else say(byId("key-problem"), text("key.wrong"));
    };
    form.addEventListener("submit", send);
    dialog.addEventListener("close", () => {
      form.removeEventListener("submit", send);
      byId("key-text").value = "";
      resolve(dialog.returnValue === "right");
      dialog.returnValue = "";
    }, { once: true });
  });
}

async function isRight(key) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("session", { method: "POST", headers, body: JSON.stringify({ key }) }).catch(() => null);
  return answer?.ok ?? false;
}
