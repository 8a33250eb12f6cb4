// What was asked, to be seen, heard or shared again.

import { mediaUrl } from "../api.js";
import { byId, make, say } from "../dom.js";
import { text } from "../text.js";
import { hideHeard } from "./heard.js";
import { Player } from "./wave.js";

/** @typedef {import("./query.js").Query} Query */

export class AskedView {
  /** @type {Player | null} of the sound that was asked with */
  player = null;

  constructor() {
    byId("share").hidden = true;
    byId("share").addEventListener("click", () => this.#share());
  }

  /** @param {Query} query */
  show(query) {
    this.player?.close();
    this.player = null;
    hideHeard();
    byId("query").hidden = false;
    byId("timings").hidden = true;
    byId("share").hidden = query.kind !== "text" || !navigator.clipboard;
    say(byId("shared"), "");
    byId("query-content").replaceChildren(...this.#content(query));
  }

  #content(query) {
    if (query.kind === "text") return [named(text("search.asked"), query.name)];
    if (query.kind === "record") {
      const { collection, id } = query.record;
      return [picture(mediaUrl(collection, id)), named(text("search.like"), query.name)];
    }
    if (query.kind === "image") return [thumbnail(query.blob), named(text("search.picture"), query.name)];
    const player = this.player = new Player(query.blob, query.name);
    player.load(query.blob);
    return [player.button, make("div", "wave", player.canvas, player.marks), player.label];
  }

  async #share() {
    try {
      await navigator.clipboard.writeText(location.href);
      say(byId("shared"), text("share.done"));
    } catch {
      say(byId("shared"), text("share.failed"));
    }
  }
}

const named = (what, name) => make("p", "query-name", make("small", "", what), make("strong", "", name));

function thumbnail(blob) {
  const image = picture(URL.createObjectURL(blob));
  for (const event of ["load", "error"]) image.addEventListener(event, () => URL.revokeObjectURL(image.src));
  return image;
}

function picture(source) {
  const image = make("img");
  image.alt = "";
  image.src = source;
  image.addEventListener("error", () => image.remove());
  return image;
}
