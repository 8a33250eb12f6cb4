// Files that are dropped anywhere, or pasted, go to the view that is shown.

import { byId, say } from "./dom.js";
import { text } from "./text.js";

/** @param {import("./views.js").Views} views */
export function bindFiles(views) {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files") && !document.querySelector("dialog[open]");
  const dragging = (on) => document.body.toggleAttribute("data-dragging", on);
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const words = views.dropWords;
    say(byId("drop").firstElementChild, words ? text(words) : "");
    dragging(Boolean(words));
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) dragging(false);
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    dragging(false);
    views.take([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData ?? { files: [], types: [] };
    // Spreadsheets put a picture of a text beside it.
    const isText = types.includes("text/plain") && event.target.closest?.("input, textarea");
    if (files.length && !isText && !document.querySelector("dialog[open]")) views.take([...files]);
  });
}
