// One image, large: arrows go through the results, and the image can become the next query.

import { mediaUrl } from "../api.js";
import { byId } from "../dom.js";
import { text } from "../text.js";
import { nameOf, scoreText } from "./results.js";

export class Viewer {
  #index = 0;

  /** @param {(url: string, name: string) => void} search */
  constructor(search) {
    this.dialog = byId("viewer");
    byId("viewer-close").addEventListener("click", () => this.dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.#show(this.#index - 1));
    byId("viewer-next").addEventListener("click", () => this.#show(this.#index + 1));
    byId("viewer-search").addEventListener("click", () => {
      this.dialog.close();
      search(byId("viewer-image").src, byId("viewer-caption").textContent);
    });
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#show(this.#index - 1);
      if (event.key === "ArrowRight") this.#show(this.#index + 1);
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  /** @param {import("./results.js").Answer} answer @param {number} index */
  open(answer, index) {
    this.answer = answer;
    this.#show(index);
    this.dialog.showModal();
  }

  #show(index) {
    const { results, collection } = this.answer;
    this.#index = (index + results.length) % results.length;
    const result = results[this.#index];
    byId("viewer-image").src = mediaUrl(collection.name, result.id);
    byId("viewer-image").alt = nameOf(result);
    byId("viewer-caption").textContent = nameOf(result);
    const place = { place: this.#index + 1, count: results.length, score: scoreText(result.score) };
    byId("viewer-score").textContent = text("viewer.place", place);
  }
}
