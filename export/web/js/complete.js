// Completes a photo window by window.

import { blend } from "./poisson.js";
import { BOX, CUBIC, resample } from "./resample.js";
import { planWindows } from "./windows.js";

/**
 * Fill the hole of a photo. Pixels filled in one window are known pixels in the next ones.
 * @param {import("./runtime.js").Runtime} runtime
 * @param {import("./windows.js").Signature[]} signatures Of the loaded model.
 * @param {import("./photo.js").Photo} photo
 * @param {import("./hole.js").Hole} hole
 * @param {{signal: AbortSignal, onProgress: (done: number, total: number) => void}} options
 * @returns {Promise<{photo: import("./photo.js").Photo, windows: import("./windows.js").Window[],
 *   seconds: number}>} A new photo, identical to the old one outside the hole.
 * @throws The signal's reason, as soon as it is aborted.
 */
export async function complete(runtime, signatures, photo, hole, { signal, onProgress }) {
  const started = performance.now();
  const windows = planWindows(hole, signatures);
  const completed = photo.copy();
  const remaining = hole.pixels.slice();
  for (const [index, window] of windows.entries()) {
    onProgress(index, windows.length);
    const { image, mask } = cut(completed, remaining, window);
    const { signature } = window;
    // The buffers are transferred to the worker, so it gets copies.
    const sent = [image.slice(), mask.slice()];
    const generated = await unlessAborted(runtime.run(signature, ...sent), signal);
    const blended = blend(generated, image, mask, signature.width, signature.height);
    paste(completed, remaining, window, blended);
  }
  return { photo: completed, windows, seconds: (performance.now() - started) / 1000 };
}

/** Return the network's input for a window: float RGB in [0, 1], and a mask, 1 in the hole. */
export function cut(photo, remaining, { signature, ...window }) {
  const { width, height } = window;
  const colours = new Uint8Array(width * height * 3);
  const hole = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = mirrored(window.top + y, photo.height) * photo.width;
    for (let x = 0; x < width; x++, to++) {
      const from = row + mirrored(window.left + x, photo.width);
      hole[to] = remaining[from];
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
    // A pixel that is partly in the hole belongs to the hole.
    mask: small(hole, 1).map((value) => (value > 0 ? 1 : 0)),
  };
}

/** Write the generated pixels into the hole inside the window's box. */
export function paste(photo, remaining, { signature, box, ...window }, generated) {
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
      if (!remaining[to]) continue;
      remaining[to] = 0;
      // The array clamps and rounds the values; filled pixels are opaque.
      photo.pixels[4 * to] = 255 * colours[from];
      photo.pixels[4 * to + 1] = 255 * colours[from + 1];
      photo.pixels[4 * to + 2] = 255 * colours[from + 2];
      photo.pixels[4 * to + 3] = 255;
    }
  }
}

/** Reflect a coordinate beyond the photo's far border into the photo. */
function mirrored(position, size) {
  if (position < size) return position;
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const offset = position % period;
  return offset < size ? offset : period - offset;
}

/** Settle like a promise, or reject with the signal's reason as soon as it is aborted. */
export function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
