// What is asked: speech, a sound, a picture or text, always in the same shape.

import { text } from "../text.js";
import { essence } from "./recorder.js";

const IMAGE_NAME = /\.(png|jpe?g|webp|gif|bmp|avif|heic|svg)$/i;

/**
 * @typedef {object} Query
 * @property {"speech" | "audio" | "image" | "text"} kind
 * @property {string} name what to call it on the page
 * @property {Blob} [blob] @property {string} [type] media type of the blob
 */

/** @param {Blob} blob a recording @returns {Query} */
export function fromSpeech(blob) {
  return { kind: "speech", name: text("search.speech"), blob, type: blob.type || "audio/webm" };
}

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
  return post(query.type, query.blob);
}

/** @param {number[]} vector @returns {RequestInit} */
export const vectorRequest = (vector) => post("application/json", JSON.stringify({ vector }));

const post = (type, body) => ({ method: "POST", headers: { "Content-Type": type }, body });
