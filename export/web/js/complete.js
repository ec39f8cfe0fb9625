// From a photo and its hole to the completed photo: window after window.

import { blend } from "./poisson.js";
import { BOX, CUBIC, resample } from "./resample.js";
import { planWindows } from "./windows.js";

/**
 * Fill the hole of a photo. What an earlier window has filled is known to a later one.
 * @param {import("./runtime.js").Runtime} runtime
 * @param {import("./windows.js").Signature[]} signatures Of the loaded model.
 * @param {import("./photo.js").Photo} photo
 * @param {import("./hole.js").Hole} hole
 * @param {{signal: AbortSignal, onProgress: (done: number, total: number) => void}} options
 * @returns {Promise<{photo: import("./photo.js").Photo, windows: import("./windows.js").Window[],
 *   seconds: number}>} A new photo; outside the hole it has the bytes of the old one.
 * @throws What the signal was aborted with, at once.
 */
export async function complete(runtime, signatures, photo, hole, { signal, onProgress }) {
  const started = performance.now();
  const windows = planWindows(hole, signatures);
  const completed = photo.copy();
  const left = hole.pixels.slice();
  for (const [index, window] of windows.entries()) {
    onProgress(index, windows.length);
    const { image, mask } = cut(completed, left, window);
    const { signature } = window;
    // The worker takes what it is given for its own.
    const sent = [image.slice(), mask.slice()];
    const generated = await unlessAborted(runtime.run(signature, ...sent), signal);
    const blended = blend(generated, image, mask, signature.width, signature.height);
    paste(completed, left, window, blended);
  }
  return { photo: completed, windows, seconds: (performance.now() - started) / 1000 };
}

/** Return what the network is shown of a window: float RGB in [0, 1], and 1 in the hole. */
export function cut(photo, left, { signature, ...window }) {
  const { width, height } = window;
  const colours = new Uint8Array(width * height * 3);
  const hole = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = mirrored(window.top + y, photo.height) * photo.width;
    for (let x = 0; x < width; x++, to++) {
      const from = row + mirrored(window.left + x, photo.width);
      hole[to] = left[from];
      colours[3 * to] = photo.pixels[4 * from];
      colours[3 * to + 1] = photo.pixels[4 * from + 1];
      colours[3 * to + 2] = photo.pixels[4 * from + 2];
    }
  }
  if (width === signature.width && height === signature.height) {
    return { image: Float32Array.from(colours, (v) => v / 255), mask: Float32Array.from(hole) };
  }
  const small = (pixels, channels) =>
    resample({ pixels, width, height, channels }, signature.width, signature.height, BOX);
  return {
    image: small(colours, 3).map((value) => value / 255),
    // A pixel that is a hole in part is a hole.
    mask: small(hole, 1).map((value) => (value > 0 ? 1 : 0)),
  };
}

/** Write what the network generated into the hole inside the window's box. */
export function paste(photo, left, { signature, box, ...window }, generated) {
  const part = {
    left: box.left - window.left,
    top: box.top - window.top,
    right: box.right - window.left,
    bottom: box.bottom - window.top,
  };
  const picture = { pixels: generated, width: signature.width, height: signature.height };
  const colours = resample({ ...picture, channels: 3 }, window.width, window.height, CUBIC, part);
  for (let y = box.top, from = 0; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++, from += 3) {
      const to = y * photo.width + x;
      if (!left[to]) continue;
      left[to] = 0;
      // Clamped and rounded by the array itself; a hole is opaque once it is filled.
      photo.pixels[4 * to] = 255 * colours[from];
      photo.pixels[4 * to + 1] = 255 * colours[from + 1];
      photo.pixels[4 * to + 2] = 255 * colours[from + 2];
      photo.pixels[4 * to + 3] = 255;
    }
  }
}

/** Return the place inside the photo that a place beyond its border mirrors. */
function mirrored(place, size) {
  if (place < size) return place;
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const rest = place % period;
  return rest < size ? rest : period - rest;
}

function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
