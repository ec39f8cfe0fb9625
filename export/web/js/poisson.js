// Poisson blending: matches the generated pixels to the photo at the hole's rim.
//
// P. Pérez, M. Gangnet, A. Blake, "Poisson Image Editing", SIGGRAPH 2003, as used in the GLCIC paper.
// The result is the generated image plus the smoothest surface through the differences at the rim,
// in which each pixel is the mean of its neighbours. This keeps the generated gradients.

const CHANNELS = 3;
/** The residual to stop at, relative to the initial one. */
const TOLERANCE = 1e-4;
const MAX_STEPS = 1000;

/**
 * Blend generated pixels into the image for which they were generated.
 * @param {Float32Array} generated RGB, row by row.
 * @param {Float32Array} image RGB; only the pixels outside the hole are used.
 * @param {Float32Array} mask 1 in the hole, 0 elsewhere.
 * @param {number} width
 * @param {number} height
 * @returns {Float32Array} RGB: the known pixels, and the blended ones in the hole.
 */
export function blend(generated, image, mask, width, height) {
  const blended = image.slice();
  const { free, neighbours, degrees, rim } = inside(mask, width, height);
  for (let channel = 0; channel < CHANNELS; channel++) {
    const rhs = new Float32Array(free.length);
    for (const [row, pixel] of rim) {
      const index = CHANNELS * pixel + channel;
      rhs[row] += image[index] - generated[index];
    }
    const surface = solve(rhs, neighbours, degrees);
    for (let row = 0; row < free.length; row++) {
      const index = CHANNELS * free[row] + channel;
      blended[index] = generated[index] + surface[row];
    }
  }
  return blended;
}

/** Number the hole's pixels and list their neighbours, in the hole and at its rim. */
function inside(mask, width, height) {
  const free = [];
  const numbers = new Int32Array(mask.length);
  for (let pixel = 0; pixel < mask.length; pixel++) {
    if (mask[pixel]) numbers[pixel] = free.push(pixel) - 1;
  }
  // All other neighbours have the number of an extra value that stays zero.
  const neighbours = new Int32Array(4 * free.length).fill(free.length);
  const degrees = new Uint8Array(free.length);
  const rim = [];
  for (const [row, pixel] of free.entries()) {
    const x = pixel % width;
    const around = [];
    if (pixel >= width) around.push(pixel - width);
    if (pixel < width * (height - 1)) around.push(pixel + width);
    if (x > 0) around.push(pixel - 1);
    if (x < width - 1) around.push(pixel + 1);
    degrees[row] = around.length;
    for (const [side, other] of around.entries()) {
      if (mask[other]) neighbours[4 * row + side] = numbers[other];
      else rim.push([row, other]);
    }
  }
  return { free, neighbours, degrees, rim };
}

/** Solve Laplace's equation by conjugate gradients. */
function solve(rhs, neighbours, degrees) {
  const count = rhs.length;
  const surface = new Float32Array(count);
  const residual = rhs.slice();
  const direction = new Float32Array(count + 1);
  direction.set(rhs);
  const change = new Float32Array(count);
  let energy = dot(residual, residual, count);
  const limit = TOLERANCE ** 2 * energy;
  for (let step = 0; step < MAX_STEPS && energy > limit; step++) {
    for (let row = 0, at = 0; row < count; row++, at += 4) {
      change[row] =
        degrees[row] * direction[row] -
        direction[neighbours[at]] -
        direction[neighbours[at + 1]] -
        direction[neighbours[at + 2]] -
        direction[neighbours[at + 3]];
    }
    const length = energy / dot(direction, change, count);
    for (let row = 0; row < count; row++) {
      surface[row] += length * direction[row];
      residual[row] -= length * change[row];
    }
    const last = energy;
    energy = dot(residual, residual, count);
    for (let row = 0; row < count; row++) {
      direction[row] = residual[row] + (energy / last) * direction[row];
    }
  }
  return surface;
}

function dot(a, b, count) {
  let sum = 0;
  for (let row = 0; row < count; row++) sum += a[row] * b[row];
  return sum;
}
