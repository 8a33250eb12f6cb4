// A small line of the last values, with its numbers in words for those who do not see it.

import { make } from "../dom.js";
import { text } from "../text.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 32;
const MOST = 60;

export class Spark {
  #values = [];

  /** @param {string} name key of its words @param {(value: number) => string} words of a value */
  constructor(name, words) {
    this.name = name;
    this.words = words;
    this.line = document.createElementNS(SVG, "polyline");
    this.drawing = document.createElementNS(SVG, "svg");
    this.drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.drawing.setAttribute("preserveAspectRatio", "none");
    this.drawing.setAttribute("role", "img");
    this.drawing.append(this.line);
    this.value = make("strong", "");
    this.element = make("div", "spark", make("span", "", text(name)), this.value, this.drawing);
    this.#draw();
  }

  /** @param {number} value */
  push(value) {
    this.#values = [...this.#values, value].slice(-MOST);
    this.#draw();
  }

  #draw() {
    const most = Math.max(...this.#values, 0);
    const now = this.words(this.#values.at(-1) ?? 0);
    this.value.textContent = now;
    const label = text("status.chart", { name: text(this.name), value: now, most: this.words(most) });
    this.drawing.setAttribute("aria-label", label);
    const points = this.#values.map((value, place) => {
      const x = WIDTH - (this.#values.length - 1 - place) * (WIDTH / (MOST - 1));
      const y = HEIGHT - 2 - (most ? value / most : 0) * (HEIGHT - 4);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    this.line.setAttribute("points", points.join(" "));
  }
}
