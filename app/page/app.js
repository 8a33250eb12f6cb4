// The page: whether the service can answer, which view is shown, and where files go that are dropped.

import { Problem, request } from "./api.js";
import { byId, say } from "./dom.js";
import { bindFiles } from "./drop.js";
import { Readiness } from "./readiness.js";
import { makeSearch } from "./search/search.js";
import { fillDocument, text } from "./text.js";
import { Views } from "./views.js";

/**
 * What the views share. The service's limits stand here once they are known.
 * @typedef {object} Shell
 * @property {Readiness} readiness @property {Views} views
 * @property {{maxSeconds: number, maxBytes: number, maxItems: number, maxBatchBytes: number,
 *   maxSnapshotBytes: number}} limits
 */

/** @type {Shell} */
const shell = {
  readiness: new Readiness(showReadiness),
  views: new Views({
    search: async () => makeSearch(shell),
    collections: async () => (await import("./collections/collections.js")).makeCollections(shell),
    model: async () => (await import("./model.js")).makeModel(shell),
    status: async () => (await import("./status/status.js")).makeStatus(shell),
  }),
  limits: {
    maxSeconds: 30,
    maxBytes: 10 * 1024 ** 2,
    maxItems: 256,
    maxBatchBytes: 64 * 1024 ** 2,
    maxSnapshotBytes: 16 * 1024 ** 3,
  },
};

/** @param {import("./readiness.js").State} state */
function showReadiness(state, detail, progress) {
  byId("service").dataset.state = state;
  say(byId("service-text"), text(`state.${state}`));
  byId("starting").hidden = state !== "starting" && state !== "failed";
  byId("starting-progress").hidden = state === "failed";
  say(byId("starting-text"), detail || text("state.progress"));
  if (progress === null) byId("starting-progress").removeAttribute("value");
  else byId("starting-progress").value = progress;
  if (state === "ready") learn();
}

/** The service's own limits, and what its model is; without them the usual ones stand. */
async function learn() {
  try {
    const { limits, model } = await request("info");
    shell.limits = {
      maxSeconds: limits.max_seconds,
      maxBytes: limits.max_body_bytes,
      maxItems: limits.max_items,
      maxBatchBytes: limits.max_batch_bytes,
      maxSnapshotBytes: limits.max_snapshot_bytes,
    };
    say(byId("service-text"), model ? text("state.ready.model", { model: model.name }) : text("state.ready"));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** A link of the page's own goes to its place without changing the address, which says what is shown. */
function bindSkipping() {
  for (const link of document.querySelectorAll("a.skip")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      byId(link.hash.slice(1)).focus();
    });
  }
}

fillDocument();
bindSkipping();
bindFiles(shell.views);
shell.views.start();
shell.readiness.watch();
