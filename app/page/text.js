// Words for people: by key from strings.js, in scripts and in the document.

import { TEXTS, direction, language } from "./strings.js";

const plural = new Intl.PluralRules(language);

/**
 * The text of a key, with `{name}` replaced by a value; of several forms the one for the value `count`.
 * @param {string} key @param {Record<string, string | number>} values numbers are written as the language does
 * @returns {string}
 */
export function text(key, values = {}) {
  const entry = TEXTS[key];
  if (entry === undefined) throw new Error(`no text for ${key}`);
  const form = typeof entry === "string" ? entry : entry[plural.select(Number(values.count))] ?? entry.other;
  return form.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
}

/** @param {string} key */
export const hasText = (key) => key in TEXTS;

/** @param {string | number} value @param {Intl.NumberFormatOptions} [options] */
export const written = (value, options) => (
  typeof value === "number" ? value.toLocaleString(language, options) : String(value)
);

/** 12345678 -> "12 MB" @param {number} bytes */
export function bytesText(bytes) {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const digits = power && bytes / 1000 ** power < 10 ? 1 : 0;
  return `${written(bytes / 1000 ** power, { maximumFractionDigits: digits })} ${["B", "kB", "MB", "GB"][power]}`;
}

/**
 * Puts words where the document names their keys: in `data-text`, and for attributes in `data-text-ATTRIBUTE`. The
 * document has them in English already, so that nothing jumps, and so that it can be read without scripts.
 */
export function fillDocument() {
  document.documentElement.lang = language;
  document.documentElement.dir = direction;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const attribute of ["aria-label", "placeholder"]) {
    for (const element of document.querySelectorAll(`[data-text-${attribute}]`)) {
      element.setAttribute(attribute, text(element.getAttribute(`data-text-${attribute}`)));
    }
  }
}
