// Saves photos and holes as PNG files.

import { save, say, showError } from "./view.js";

/**
 * Write a PNG file and let the browser save it.
 * @param {"photo" | "mask"} kind
 * @param {import("./photo.js").Photo | import("./hole.js").Hole} picture
 * @param {string} name The file's name.
 * @param {HTMLButtonElement} button Disabled while the file is written.
 */
export async function savePng(kind, { pixels, width, height, profile }, name, button) {
  const wasFocused = document.activeElement === button;
  button.disabled = true;
  say(`Writing ${name}`);
  try {
    save(await write(kind, { pixels, width, height, profile }), name);
    say(`Saved ${name}, ${width} × ${height} pixels.`);
  } catch (error) {
    showError(`${name} could not be written: ${error.message}`);
  } finally {
    button.disabled = false;
    if (wasFocused && document.activeElement === document.body) button.focus();
  }
}

/** Return a hole as a PNG file, white in the hole. */
export function maskFile({ pixels, width, height }) {
  return write("mask", { pixels, width, height });
}

function write(kind, picture) {
  const worker = new Worker(new URL("./png_worker.js", import.meta.url), { type: "module" });
  const answer = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.file) resolve(data.file);
      else reject(new Error(data.error));
    };
    worker.onerror = (event) => reject(new Error(event.message ?? "the worker failed"));
  });
  worker.postMessage({ kind, picture });
  return answer.finally(() => worker.terminate());
}
