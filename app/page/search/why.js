// Why a picture was found: which parts of it count, drawn over it.

import { Problem, mediaUrl, request } from "../api.js";
import { byId, make, say } from "../dom.js";
import { text } from "../text.js";

const LEAST = 1e-3; // of a score: below that, no part stands out
const MOST_OPAQUE = 0.78;
const COLOUR = [200, 40, 20];
const THIRDS = ["first", "middle", "last"];

/** @typedef {{score: number, drops: number[][], part: {left: number, top: number, width: number, height: number}}} Why */

export class WhyView {
  #controller = new AbortController();
  /** @type {Why | null} */
  #why = null;

  constructor() {
    this.image = byId("viewer-image");
    this.canvas = byId("viewer-heat");
    this.button = byId("viewer-why");
    this.button.addEventListener("click", () => this.#toggle());
    new ResizeObserver(() => this.#draw()).observe(this.image);
    this.image.addEventListener("load", () => this.#draw());
  }

  /** Another picture, as an answer to a query. @param {RequestInit} query @param {string} collection @param {string} id */
  show(query, collection, id) {
    this.asked = { query, path: mediaUrl(collection, id).replace("media/", "explain/") };
    this.#forget();
    if (this.on) this.#ask();
  }

  /** Nothing is shown any more. */
  hide() {
    this.#forget();
  }

  get on() {
    return this.button.getAttribute("aria-pressed") === "true";
  }

  #toggle() {
    this.button.setAttribute("aria-pressed", String(!this.on));
    if (this.on && !this.#why) this.#ask();
    this.#draw();
  }

  #forget() {
    this.#controller.abort();
    this.#why = null;
    this.#draw();
  }

  async #ask() {
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    say(byId("why-text"), text("why.asking"));
    try {
      const why = await request(this.asked.path, { ...this.asked.query, signal });
      if (signal.aborted) return;
      this.#why = why;
      say(byId("why-text"), words(why));
      this.#draw();
    } catch (error) {
      if (!signal.aborted) say(byId("why-text"), error instanceof Problem ? error.message : text("problem.page"));
    }
  }

  /** The picture is shown whole within its element; the grid lies over the part of it that the model looks at. */
  #draw() {
    byId("why").hidden = !this.on;
    const { naturalWidth, naturalHeight, clientWidth, clientHeight, offsetLeft, offsetTop } = this.image;
    this.canvas.hidden = !(this.on && this.#why && naturalWidth && clientWidth);
    if (this.canvas.hidden) return;
    const { left, top, width, height } = this.#why.part;
    const scale = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight);
    const [wide, high] = [naturalWidth * scale, naturalHeight * scale];
    const box = {
      left: offsetLeft + (clientWidth - wide) / 2 + left * wide,
      top: offsetTop + (clientHeight - high) / 2 + top * high,
      width: width * wide,
      height: height * high,
    };
    for (const [side, value] of Object.entries(box)) this.canvas.style.setProperty(side, `${value}px`);
    paint(this.canvas, this.#why.drops, box);
  }
}

/** Cells of the grid, in one colour and as strong as they count, made smooth by the browser. */
function paint(canvas, drops, { width, height }) {
  const most = Math.max(...drops.flat(), LEAST);
  const cells = new ImageData(drops[0].length, drops.length);
  drops.flat().forEach((drop, place) => {
    cells.data.set([...COLOUR, 255 * MOST_OPAQUE * Math.max(0, drop / most)], 4 * place);
  });
  const small = make("canvas");
  [small.width, small.height] = [cells.width, cells.height];
  small.getContext("2d").putImageData(cells, 0, 0);
  const scale = window.devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/** The same for those who do not see it. @param {Why} why */
function words({ drops, score }) {
  const most = Math.max(...drops.flat());
  if (most < LEAST) return text("why.none");
  const row = drops.findIndex((cells) => cells.includes(most));
  const third = (place, count) => THIRDS[Math.floor((3 * (place + 0.5)) / count)];
  const place = text(`why.place.${third(row, drops.length)}.${third(drops[row].indexOf(most), drops[row].length)}`);
  return text("why.most", { place, drop: most.toFixed(3), score: score.toFixed(3) });
}
