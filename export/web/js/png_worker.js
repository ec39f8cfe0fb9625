// Writes PNG files in a worker, since a large photo takes seconds.

import { maskPng, photoPng } from "./png.js";

const writers = { photo: photoPng, mask: maskPng };

self.onmessage = async ({ data: { kind, picture } }) => {
  try {
    self.postMessage({ file: await writers[kind](picture) });
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
};
