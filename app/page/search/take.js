// What has been recorded so far: it can be read while it grows, and be made into a file.

const HEADER_BYTES = 44;

export class Take {
  /** @type {Int16Array[]} */
  pieces = [];
  #samples = 0;

  /** @param {number} rate samples per second */
  constructor(rate) {
    this.rate = rate;
  }

  get seconds() {
    return this.#samples / this.rate;
  }

  /** @param {Int16Array} piece mono */
  add(piece) {
    this.pieces.push(piece);
    this.#samples += piece.length;
  }

  /** A wav file. */
  toBlob() {
    return new Blob([header(this.rate, this.#samples), ...this.pieces], { type: "audio/wav" });
  }
}

/** @param {number} rate @param {number} samples mono, of 16 bits */
function header(rate, samples) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const write = (at, letters) => [...letters].forEach((letter, place) => view.setUint8(at + place, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + 2 * samples, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // plain PCM
  view.setUint16(22, 1, true); // mono
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, 2 * samples, true);
  return view;
}
