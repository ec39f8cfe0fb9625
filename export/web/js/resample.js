// Resizes float images, one axis at a time, in the same way as Pillow.

/** Averages over exactly the area of each output pixel; for downscaling. */
export const BOX = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };

/** Keys' cubic filter with a = -1/2; for upscaling. */
export const CUBIC = {
  support: 2,
  weight(x) {
    const t = Math.abs(x);
    if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
    return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
  },
};

/**
 * Resize an image.
 * @param {{pixels: ArrayLike<number>, width: number, height: number, channels: number}} picture
 * @param {number} width Of the whole result.
 * @param {number} height
 * @param {{support: number, weight: (x: number) => number}} filter
 * @param {import("./windows.js").Box} [part] The part of the result to compute; default: all.
 * @returns {Float32Array} The part, row by row.
 */
export function resample(picture, width, height, filter, part) {
  part ??= { left: 0, top: 0, right: width, bottom: height };
  const { channels } = picture;
  const columns = taps(picture.width, width, part.left, part.right, filter);
  const rows = taps(picture.height, height, part.top, part.bottom, filter);
  const first = rows[0].start;
  const last = rows.at(-1).start + rows.at(-1).weights.length;
  const stride = columns.length * channels;

  const between = new Float32Array((last - first) * stride);
  for (let y = first, to = 0; y < last; y++) {
    for (const { start, weights } of columns) {
      for (let channel = 0; channel < channels; channel++, to++) {
        let from = (y * picture.width + start) * channels + channel;
        let sum = 0;
        for (let k = 0; k < weights.length; k++, from += channels) {
          sum += weights[k] * picture.pixels[from];
        }
        between[to] = sum;
      }
    }
  }

  const result = new Float32Array(rows.length * stride);
  rows.forEach(({ start, weights }, y) => {
    for (let x = 0; x < stride; x++) {
      let from = (start - first) * stride + x;
      let sum = 0;
      for (let k = 0; k < weights.length; k++, from += stride) sum += weights[k] * between[from];
      result[y * stride + x] = sum;
    }
  });
  return result;
}

/** Return the first input position and the weights of each output from `begin` to `end`. */
function taps(input, output, begin, end, filter) {
  const scale = input / output;
  const spread = Math.max(1, scale);
  const reach = filter.support * spread;
  return Array.from({ length: end - begin }, (_, index) => {
    const centre = (begin + index + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const stop = Math.min(input, Math.trunc(centre + reach + 0.5));
    const weights = Float64Array.from({ length: stop - start }, (_, k) =>
      filter.weight((start + k - centre + 0.5) / spread),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}
