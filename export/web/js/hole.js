// The painted hole: one byte per pixel of the photo, with its undo history.

import { union } from "./windows.js";

const MAX_STEPS = 60;

/** The pixels to fill, and their undo history. */
export class Hole {
  #undo = [];
  #redo = [];
  #stroke = null;

  constructor(width, height) {
    this.width = width;
    this.height = height;
    /** 1 in the hole, 0 elsewhere, row by row. */
    this.pixels = new Uint8Array(width * height);
    /** Number of pixels in the hole. */
    this.count = 0;
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  /** Begin a stroke; everything until `endStroke` is undone in one step. */
  beginStroke() {
    this.#stroke = { before: this.pixels.slice(), box: null };
  }

  /**
   * Paint or erase a line with round ends. Coordinates are in pixels of the photo; pixel edges are
   * at integers.
   * @param {{x: number, y: number}} from
   * @param {{x: number, y: number}} to
   * @param {number} radius
   * @param {boolean} erase
   * @returns {import("./windows.js").Box?} The box that may have changed; null outside the photo.
   */
  line(from, to, radius, erase) {
    const box = {
      left: Math.max(0, Math.floor(Math.min(from.x, to.x) - radius)),
      top: Math.max(0, Math.floor(Math.min(from.y, to.y) - radius)),
      right: Math.min(this.width, Math.ceil(Math.max(from.x, to.x) + radius)),
      bottom: Math.min(this.height, Math.ceil(Math.max(from.y, to.y) + radius)),
    };
    if (box.left >= box.right || box.top >= box.bottom) return null;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = dx * dx + dy * dy;
    const value = erase ? 0 : 1;
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) {
        const [u, v] = [x + 0.5 - from.x, y + 0.5 - from.y];
        const along = length ? Math.max(0, Math.min(1, (u * dx + v * dy) / length)) : 0;
        const [a, b] = [u - along * dx, v - along * dy];
        const index = y * this.width + x;
        if (a * a + b * b <= radius * radius && this.pixels[index] !== value) {
          this.pixels[index] = value;
          this.count += erase ? -1 : 1;
        }
      }
    }
    if (this.#stroke) this.#stroke.box = union(this.#stroke.box ?? box, box);
    return box;
  }

  /** End the stroke and record how to undo it. */
  endStroke() {
    const { before, box } = this.#stroke;
    this.#stroke = null;
    if (!box) return;
    this.#undo.push({ box, pixels: this.#copy(before, box) });
    this.#redo = [];
    if (this.#undo.length > MAX_STEPS) this.#undo.shift();
  }

  /** Discard the current stroke. */
  cancelStroke() {
    this.pixels = this.#stroke.before;
    this.#stroke = null;
    this.count = this.pixels.reduce((sum, value) => sum + value, 0);
  }

  /** Undo the last step. */
  undo() {
    this.#swap(this.#undo, this.#redo);
  }

  /** Redo the step that was undone last. */
  redo() {
    this.#swap(this.#redo, this.#undo);
  }

  /** Clear the hole; this can be undone as well. */
  clear() {
    if (!this.count) return;
    this.beginStroke();
    this.#stroke.box = { left: 0, top: 0, right: this.width, bottom: this.height };
    this.pixels.fill(0);
    this.count = 0;
    this.endStroke();
  }

  #swap(from, to) {
    const step = from.pop();
    if (!step) return;
    const { box, pixels } = step;
    to.push({ box, pixels: this.#copy(this.pixels, box) });
    const columns = box.right - box.left;
    for (let y = box.top; y < box.bottom; y++) {
      const row = pixels.subarray((y - box.top) * columns, (y - box.top + 1) * columns);
      this.pixels.set(row, y * this.width + box.left);
    }
    this.count = this.pixels.reduce((sum, value) => sum + value, 0);
  }

  #copy(pixels, { left, top, right, bottom }) {
    const columns = right - left;
    const copy = new Uint8Array(columns * (bottom - top));
    for (let y = top; y < bottom; y++) {
      const row = pixels.subarray(y * this.width + left, y * this.width + right);
      copy.set(row, (y - top) * columns);
    }
    return copy;
  }
}
