// As much of Markdown as model cards are written in. What it cannot read it shows as it is; it never becomes markup.

import { make } from "./dom.js";

const RULE = /^\s*\|?\s*:?-{3,}/;
const INLINE = /\\([\\`*_[\]<>|])|`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

/** @param {string} source @param {number} deeper headings are so many levels below the card's own @returns {Node[]} */
export function rendered(source, deeper = 1) {
  const blocks = source.replaceAll("\r", "").split(/\n{2,}/).flatMap(apart).filter((block) => block.trim());
  return blocks.map((block) => drawn(block.split("\n"), deeper));
}

/** A heading is a block even where no empty line follows it. @param {string} block */
const apart = (block) => block.split(/\n(?=#{1,6} )|(?<=^#{1,6} .*)\n/);

/** @param {string[]} lines */
function drawn(lines, deeper) {
  const [, marks, words] = /^(#{1,6}) +(.*)$/.exec(lines[0]) ?? [];
  if (marks) return make(`h${Math.min(6, marks.length + deeper)}`, "", ...inline(words));
  if (lines.length > 1 && lines[0].includes("|") && RULE.test(lines[1])) return table(lines);
  if (/^\s*[-*] /.test(lines[0])) return list(lines);
  if (lines[0].startsWith("```")) return make("pre", "", lines.filter((line) => !line.startsWith("```")).join("\n"));
  return make("p", "", ...inline(lines.join(" ")));
}

/** Lines that go on belong to the point before. @param {string[]} lines */
function list(lines) {
  const points = [];
  for (const line of lines) {
    if (/^\s*[-*] /.test(line)) points.push(line.replace(/^\s*[-*] /, ""));
    else points[points.length - 1] += ` ${line.trim()}`;
  }
  return make("ul", "points", ...points.map((point) => make("li", "", ...inline(point))));
}

/** @param {string[]} lines the second is the rule under the head */
function table([head, , ...rows]) {
  const names = cells(head);
  const titles = names.map((name) => {
    const cell = make("th", "", ...inline(name));
    cell.scope = "col";
    return cell;
  });
  const lines = rows.map((row) => make("tr", "", ...cells(row).map((cell) => make("td", "", ...inline(cell)))));
  const body = make("tbody", "", ...lines);
  const drawn = make("table", "", ...(names.some(Boolean) ? [make("thead", "", make("tr", "", ...titles))] : []), body);
  const frame = make("div", "wide", drawn);
  frame.tabIndex = 0;
  return frame;
}

const cells = (row) => row.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());

/** @param {string} words @returns {(Node | string)[]} */
function inline(words) {
  const parts = [];
  let end = 0;
  for (const found of words.matchAll(INLINE)) {
    parts.push(words.slice(end, found.index), piece(found));
    end = found.index + found[0].length;
  }
  return [...parts, words.slice(end)];
}

function piece([, escaped, code, strong, slanted, named, address]) {
  if (escaped) return escaped;
  if (code) return make("code", "", code);
  if (strong) return make("strong", "", strong);
  if (slanted) return make("em", "", slanted);
  // Only what leads to the web: a path is one of the repository, and not here.
  if (!/^https?:/.test(address)) return named;
  const link = make("a", "", named);
  Object.assign(link, { href: address, rel: "noreferrer noopener", target: "_blank" });
  return link;
}
