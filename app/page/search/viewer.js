// One image, large: arrows go through the results, why it is one can be shown, and others like it can be searched.

import { mediaUrl } from "../api.js";
import { byId } from "../dom.js";
import { text } from "../text.js";
import { nameOf, scoreText } from "./results.js";
import { WhyView } from "./why.js";

export class Viewer {
  #index = 0;

  /** @param {(record: {id: string, collection: string}, name: string) => void} search for what is like a record */
  constructor(search) {
    this.dialog = byId("viewer");
    this.why = new WhyView();
    byId("viewer-close").addEventListener("click", () => this.dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.#show(this.#index - 1));
    byId("viewer-next").addEventListener("click", () => this.#show(this.#index + 1));
    byId("viewer-more").addEventListener("click", () => {
      const result = this.answer.results[this.#index];
      this.dialog.close();
      search({ id: result.id, collection: this.answer.collection.name }, nameOf(result));
    });
    this.dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.#show(this.#index + (document.dir === "rtl" ? -step : step));
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("close", () => this.why.hide());
  }

  /**
   * @param {import("./results.js").Answer} answer @param {number} index
   * @param {RequestInit} query that it is the answer to
   */
  open(answer, index, query) {
    this.answer = answer;
    this.query = query;
    this.dialog.showModal();
    this.#show(index);
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
    this.why.show(this.query, collection.name, result.id);
  }
}
