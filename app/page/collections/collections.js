// What there is to find: all collections, or one of them with what is in it.

import { byId, make } from "../dom.js";
import { CollectionPage } from "./one.js";
import { CollectionList } from "./list.js";

/** @param {import("../app.js").Shell} shell @returns {import("../views.js").View} */
export function makeCollections(shell) {
  const place = byId("view-collections").appendChild(make("div"));
  const list = new CollectionList(shell);
  /** @type {CollectionPage | null} */
  let open = null;

  const show = (name) => {
    if (open?.name === name) return open.refresh();
    open?.close();
    open = name ? new CollectionPage(shell, name) : null;
    place.replaceChildren((open ?? list).element);
    shell.views.title("collections", name);
    (open ?? list).refresh();
  };
  return {
    show,
    files: (files) => open?.upload.add(files),
    dropWords: () => (open?.upload.takesFiles ? "collections.drop" : ""),
  };
}
