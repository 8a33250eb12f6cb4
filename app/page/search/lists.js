// Lists whose entries keep their elements while the answers change: what is still there moves to its new place.

const MOVE_MS = 240;

/**
 * @template T
 * @param {HTMLElement} list @param {T[]} items
 * @param {(item: T) => string} keyOf what stays the same is known by its key
 * @param {(entry: HTMLLIElement, item: T, index: number) => void} draw fills an entry, new or not
 */
export function arrange(list, items, keyOf, draw) {
  const before = new Map([...list.children].map((entry) => [entry.dataset.key, entry]));
  const places = new Map([...before.values()].map((entry) => [entry, entry.getBoundingClientRect()]));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const entries = keyed(items, keyOf).map(([key, item], index) => {
    const entry = before.get(key) ?? document.createElement("li");
    entry.dataset.key = key;
    draw(entry, item, index);
    return entry;
  });
  place(list, entries);
  // An element that is moved loses the focus on its way.
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) entries.forEach((entry) => move(entry, places.get(entry)));
}

/** Keys that are there twice are told apart by their number. */
function keyed(items, keyOf) {
  const times = new Map();
  return items.map((item) => {
    const key = keyOf(item);
    const number = times.get(key) ?? 0;
    times.set(key, number + 1);
    return [number ? `${key} ${number}` : key, item];
  });
}

function place(list, entries) {
  const kept = new Set(entries);
  for (const entry of [...list.children]) if (!kept.has(entry)) entry.remove();
  entries.forEach((entry, index) => {
    if (list.children[index] !== entry) list.insertBefore(entry, list.children[index] ?? null);
  });
}

/** @param {HTMLElement} entry @param {DOMRect} [from] where it was; nothing for a new one, which fades in */
function move(entry, from) {
  const timing = { duration: MOVE_MS, easing: "ease-out" };
  if (!from) return entry.animate([{ opacity: 0 }, { opacity: 1 }], timing);
  const to = entry.getBoundingClientRect();
  const [x, y] = [from.x - to.x, from.y - to.y];
  if (x || y) entry.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], timing);
}
