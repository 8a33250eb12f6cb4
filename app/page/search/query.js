// What is asked: speech, a sound, a picture or text, always in the same shape.

import { text } from "../text.js";

/** How much it counts that a record has the words that were heard. */
export const WORDS = 0.2;
const IMAGE_NAME = /\.(png|jpe?g|webp|gif|bmp|avif|heic|svg)$/i;

/**
 * @typedef {object} Query
 * @property {"speech" | "audio" | "image" | "text" | "record"} kind
 * @property {string} name what to call it on the page
 * @property {Blob} [blob] @property {string} [type] media type of the blob
 * @property {{id: string, collection: string}} [record] what is to be like it
 */

/** @param {Blob} blob a recording @returns {Query} */
export function fromSpeech(blob) {
  return { kind: "speech", name: text("search.speech"), blob, type: blob.type || "audio/webm" };
}

/** @param {{id: string, collection: string}} record @param {string} name @returns {Query} */
export const fromRecord = (record, name) => ({ kind: "record", name, record });

/** @param {string} words @returns {Query} */
export const fromText = (words) => ({ kind: "text", name: words });

/** @param {Blob} blob @param {string} name @returns {Query} */
export function fromFile(blob, name) {
  const type = essence(blob.type);
  const kind = type.startsWith("image/") || IMAGE_NAME.test(name) ? "image" : "audio";
  // Recordings often call themselves films, or nothing at all: then the service looks at the bytes.
  return { kind, name, blob, type: /^(audio|image)\//.test(type) ? type : "application/octet-stream" };
}

/** @param {Query} query @returns {RequestInit} */
export function toRequest(query) {
  if (query.kind === "text") {
    return post("application/json", JSON.stringify({ text: query.name }));
  }
  if (query.kind === "record") {
    return post("application/json", JSON.stringify(query.record));
  }
  return post(query.type, query.blob);
}

/** @param {number[]} vector @returns {RequestInit} */
export const vectorRequest = (vector) => post("application/json", JSON.stringify({ vector }));

/**
 * The same of speech in which words were heard: records that have them come first.
 * @param {number[]} vector @param {{slot: number, known: boolean, words: {word: string, score: number}[]}[]} slots
 * @returns {RequestInit}
 */
export function heardRequest(vector, slots) {
  const heard = slots.filter(({ known }) => known).flatMap(({ slot, words }) => (
    words.map(({ word, score }) => ({ slot, word, score }))
  ));
  return post("application/json", JSON.stringify({ vector, heard, words: WORDS }));
}

/** A text, and only certain records are answers. @param {string} words @param {string[]} ids @returns {RequestInit} */
export const nearestAmong = (words, ids) => (
  post("application/json", JSON.stringify({ text: words, top_k: 1, filter: { id: { in: ids } } }))
);

const post = (type, body) => ({ method: "POST", headers: { "Content-Type": type }, body });

/** "audio/webm;codecs=opus" -> "audio/webm" */
const essence = (type) => type.split(";")[0].trim().toLowerCase();
