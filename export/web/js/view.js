// Helpers for showing things that several parts of the page use.

/** Return the element with an id. */
export function element(id) {
  return document.getElementById(id);
}

/**
 * Enter a state of the page; the style sheets show the elements that belong to it.
 * @param {"empty" | "painting" | "working" | "done"} state
 */
export function enter(state) {
  document.body.dataset.state = state;
  document.querySelector(".work").hidden = state === "empty";
  document.querySelector(".intro").hidden = state !== "empty";
  const stage = element("stage");
  const paints = state === "painting";
  stage.tabIndex = paints ? 0 : -1;
  stage.setAttribute("role", paints ? "application" : "group");
  stage.setAttribute("aria-label", paints ? "Photo to paint on" : "Photo");
  if (paints) stage.setAttribute("aria-describedby", "keys-summary");
  else stage.removeAttribute("aria-describedby");
}

/** Show a message in the status line, which screen readers announce. */
export function say(message) {
  const status = element("status");
  // Setting the same text again would announce it again.
  if (status.textContent !== message) status.textContent = message;
}

/** Show the network's state; `more` is hidden on narrow screens. */
export function showNetwork(state, words, more = "") {
  const network = element("network");
  network.dataset.state = state;
  network.firstElementChild.textContent = words;
  network.lastElementChild.textContent = more;
}

/**
 * Show an error message, or hide it if null.
 * @param {string?} message
 * @param {boolean} missingModel Whether to show how to export a model.
 */
export function showError(message, missingModel = false) {
  const alert = element("alert");
  alert.hidden = message === null;
  alert.querySelector("p").textContent = message ?? "";
  alert.querySelector(".missing").hidden = !missingModel;
}

/** Return a number with its noun: "1 pixel", "1,204 pixels". */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Return a list item that describes a window. */
export function describeWindow({ signature, box, left, top, width, height }) {
  const item = document.createElement("li");
  const facts = { signature: signature.name, box, left, top, width, height };
  item.dataset.window = JSON.stringify(facts);
  const scaled = width !== signature.width || height !== signature.height;
  item.textContent =
    `${width} × ${height} pixels at ${left}, ${top}, ` +
    (scaled ? `scaled to ${signature.width} × ${signature.height}` : "at full size");
  return item;
}

/** Let the browser save a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

element("alert")
  .querySelector(".close")
  .addEventListener("click", () => showError(null));
