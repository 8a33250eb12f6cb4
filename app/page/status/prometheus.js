// Prometheus' text format, and what can be told of two readings of it.

/** @typedef {{name: string, labels: Record<string, string>, value: number}} Sample */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/** The numbers of one moment. */
export class Reading {
  /** @param {string} source in the text format @param {number} at milliseconds */
  constructor(source, at) {
    this.at = at;
    /** @type {Sample[]} */
    this.samples = source.split("\n").map(sample).filter(Boolean);
  }

  /** @param {string} name @returns {Sample[]} */
  all(name) {
    return this.samples.filter((one) => one.name === name);
  }

  /** The sum of those with these labels. @param {string} name @param {Record<string, string>} labels */
  sum(name, labels = {}) {
    return this.all(name).filter((one) => has(one, labels)).reduce((total, one) => total + one.value, 0);
  }

  /** How many were at most so large: [bound, count][] by bound. @param {Record<string, string>} labels */
  buckets(name, labels) {
    const found = this.all(`${name}_bucket`).filter((one) => has(one, labels));
    return found.map((one) => [number(one.labels.le), one.value]).sort(([one], [other]) => one - other);
  }
}

/** @param {Sample} one @param {Record<string, string>} labels */
const has = (one, labels) => Object.entries(labels).every(([key, value]) => one.labels[key] === value);

/** @param {string} line @returns {Sample | null} */
function sample(line) {
  const [, name, labels = "", value] = LINE.exec(line) ?? [];
  if (!name) return null;
  const plain = (words) => words.replace(/\\[n"\\]/g, (two) => ESCAPES[two]);
  const pairs = [...labels.matchAll(LABEL)].map(([, key, words]) => [key, plain(words)]);
  return { name, labels: Object.fromEntries(pairs), value: number(value) };
}

const number = (words) => (words === "+Inf" ? Infinity : Number(words));

/** How much a counter has grown; one that begins anew has grown by all it has. */
export const grown = (now, before) => (now >= before ? now - before : now);

/**
 * The value below which a share lies, between the bounds of its bucket; null where nothing was counted.
 * @param {[number, number][]} buckets cumulative, the last without bound @param {number} share 0..1
 */
export function quantile(buckets, share) {
  const all = buckets.at(-1)?.[1] ?? 0;
  if (!all) return null;
  const rank = share * all;
  const place = buckets.findIndex(([, count]) => count >= rank);
  const [bound, count] = buckets[place];
  const [lower, before] = place ? buckets[place - 1] : [0, 0];
  if (bound === Infinity) return lower;
  return count === before ? bound : lower + (bound - lower) * ((rank - before) / (count - before));
}

/** The buckets of what came between two readings. */
export function between(now, before) {
  return now.map(([bound, count], place) => [bound, grown(count, before[place]?.[1] ?? 0)]);
}
