// How the service is doing, from its metrics.

/** @param {import("../app.js").Shell} shell @returns {import("../views.js").View} */
export function makeStatus(shell) {
  return { show: () => {} };
}
