// Sources of photos: file dialog, drag and drop, clipboard, examples.

import { element, showError } from "./view.js";

/**
 * @param {(file: Blob, name: string) => void} take Called with each photo that is chosen.
 * @param {string[]} examples URLs of example photos in addition to the page's own.
 */
export function takePhotos(take, examples) {
  const input = element("file");
  for (const id of ["choose", "other"]) {
    element(id).addEventListener("click", () => input.click());
  }
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) take(file, file.name);
    input.value = "";
  });

  const first = document.querySelector(".example");
  for (const address of examples) {
    const button = first.cloneNode(true);
    button.removeAttribute("id");
    button.querySelector("img").src = address;
    button.querySelector("strong").textContent = "An official portrait";
    button.querySelector(".hint").textContent = "US Congress, public domain";
    first.parentElement.append(button);
  }
  for (const button of document.querySelectorAll(".example")) {
    button.addEventListener("click", async () => {
      const address = button.querySelector("img").getAttribute("src");
      // Already loaded for the button.
      const response = await fetch(address, { cache: "force-cache" });
      if (response.ok) take(await response.blob(), address.replace(/^.*\//, ""));
      else showError(`The example cannot be read: ${response.status}.`);
    });
  }

  addEventListener("paste", ({ clipboardData }) => {
    const file = [...clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (file) take(file, file.name || "pasted.png");
  });

  // Entering and leaving inner elements fires these events too, so they are counted.
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dragging", depth > 0);
  };
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => hasFiles(event) && mark(1));
  addEventListener("dragleave", (event) => hasFiles(event) && mark(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    const [file] = event.dataTransfer.files;
    if (file) take(file, file.name);
  });
}
