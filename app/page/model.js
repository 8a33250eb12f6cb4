// What the model is, what it can, and how well: from the service, and from the card that its makers wrote.

import { Problem, request } from "./api.js";
import { byId, make } from "./dom.js";
import { rendered } from "./markdown.js";
import { bytesText, hasText, text, written } from "./text.js";
import { ProblemBox, facts } from "./ui.js";

/** @param {import("./app.js").Shell} shell @returns {import("./views.js").View} */
export function makeModel(shell) {
  const problem = new ProblemBox();
  const known = make("div");
  const card = make("article", "card-text");
  byId("view-model").append(make("div", "stack", problem.element, known, card));
  const show = () => problem.guard(async () => {
    await shell.readiness.untilReady(new AbortController().signal);
    known.replaceChildren(describe(await request("info")));
    const told = await markdown();
    card.replaceChildren(...(told ? rendered(told) : [make("p", "note", text("model.card.none"))]));
  });
  return { show };
}

async function markdown() {
  const answer = await fetch("model/card").catch(() => null);
  if (!answer?.ok) throw new Problem(answer ? `HTTP ${answer.status}` : "unreachable");
  return (await answer.text()).trim();
}

function describe({ model, limits, version }) {
  const branches = model.branches.map((one) => (hasText(`model.branch.${one}`) ? text(`model.branch.${one}`) : one));
  return facts([
    ["model.name", model.name],
    ["model.revision", model.revision],
    ["model.dim", written(model.dim)],
    ["model.precision", model.precision],
    ["model.branches", branches.join("; ")],
    ["model.seconds", text("model.seconds.value", { count: limits.max_seconds })],
    ["model.body", bytesText(limits.max_body_bytes)],
    ["model.results", written(limits.max_top_k)],
    ["model.version", version],
  ]);
}
