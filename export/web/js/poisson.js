// Poisson blending: what was generated meets the photo at the hole's rim.
//
// P. Pérez, M. Gangnet, A. Blake, "Poisson Image Editing", SIGGRAPH 2003, as the GLCIC paper uses it.
// Guided by the generated picture's own gradients, it is the generated picture plus the smoothest
// surface through the differences at the rim, each pixel the mean of its neighbours.

const CHANNELS = 3;
/** The residual to stop at, as a share of the first. */
const TOLERANCE = 1e-4;
const MOST_STEPS = 1000;

/**
 * Blend a generated picture into the one it was generated for.
 * @param {Float32Array} generated RGB, row by row.
 * @param {Float32Array} image RGB, of which what is outside the hole is known.
 * @param {Float32Array} mask 1 in the hole, 0 elsewhere.
 * @param {number} width
 * @param {number} height
 * @returns {Float32Array} RGB: the known pixels, and the blended ones in the hole.
 */
export function blend(generated, image, mask, width, height) {
  const blended = image.slice();
  const { free, neighbours, degrees, rim } = inside(mask, width, height);
  for (let channel = 0; channel < CHANNELS; channel++) {
    const given = new Float32Array(free.length);
    for (const [row, pixel] of rim) {
      const index = CHANNELS * pixel + channel;
      given[row] += image[index] - generated[index];
    }
    const surface = solve(given, neighbours, degrees);
    for (let row = 0; row < free.length; row++) {
      const index = CHANNELS * free[row] + channel;
      blended[index] = generated[index] + surface[row];
    }
  }
  return blended;
}

/** Number the hole's pixels, and list their neighbours: in the hole by number, or at its rim. */
function inside(mask, width, height) {
  const free = [];
  const numbers = new Int32Array(mask.length);
  for (let pixel = 0; pixel < mask.length; pixel++) {
    if (mask[pixel]) numbers[pixel] = free.push(pixel) - 1;
  }
  // A neighbour that is not free has the number of a value that stays zero.
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
function solve(given, neighbours, degrees) {
  const count = given.length;
  const surface = new Float32Array(count);
  const residual = given.slice();
  const direction = new Float32Array(count + 1);
  direction.set(given);
  const change = new Float32Array(count);
  let energy = dot(residual, residual, count);
  const least = TOLERANCE ** 2 * energy;
  for (let step = 0; step < MOST_STEPS && energy > least; step++) {
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
