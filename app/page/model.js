// What the model is, what it can, and how well.

/** @param {import("./app.js").Shell} shell @returns {import("./views.js").View} */
export function makeModel(shell) {
  return { show: () => {} };
}
