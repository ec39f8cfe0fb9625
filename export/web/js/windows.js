// Chooses the windows of a photo that the network completes, so that every hole is filled.
//
// The network takes images of a few fixed sizes. A hole gets a window of at least twice its
// extent: at full size if the largest of these sizes is large enough, otherwise a larger window
// that is scaled down. A long thin hole, such as a scratch, is filled piece by piece, at a scale
// that depends on its thickness.

/** Side in pixels of the grid cells by which holes are grouped. */
const CELL = 32;

/**
 * @typedef {{left: number, top: number, right: number, bottom: number}} Box
 *   right and bottom are exclusive.
 * @typedef {{name: string, height: number, width: number}} Signature
 * @typedef {{signature: Signature, box: Box, left: number, top: number, height: number,
 *   width: number}} Window The network's view (it may extend beyond the photo's right and bottom
 *   border), and the box inside it whose hole is filled.
 */

/**
 * Plan the windows, in the order of filling.
 * @param {import("./hole.js").Hole} hole
 * @param {Signature[]} signatures
 * @returns {Window[]}
 */
export function planWindows(hole, signatures) {
  const { width, height } = hole;
  const ordered = [...signatures].sort((a, b) => a.height * a.width - b.height * b.width);
  const remaining = hole.pixels.slice();
  const windows = [];
  for (const group of merged(holeBoxes(hole), ordered[0])) {
    const { signature, scale } = choose(hole, group, ordered);
    const rows = Math.round(signature.height * scale);
    const columns = Math.round(signature.width * scale);
    for (const part of split(group, Math.floor(rows / 2), Math.floor(columns / 2))) {
      const box = tightened(remaining, width, part);
      if (!box) continue;
      clear(remaining, width, box);
      windows.push({
        signature,
        box,
        left: place(box.left, box.right, columns, width),
        top: place(box.top, box.bottom, rows, height),
        width: columns,
        height: rows,
      });
    }
  }
  return windows;
}

/** Return the bounding boxes of groups of holes that are close to each other. */
function holeBoxes({ pixels, width, height }) {
  const columns = Math.ceil(width / CELL);
  const rows = Math.ceil(height / CELL);
  const cells = new Uint8Array(columns * rows);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (pixels[i]) cells[Math.floor(y / CELL) * columns + Math.floor(x / CELL)] = 1;
    }
  }
  const boxes = [];
  for (let start = 0; start < cells.length; start++) {
    if (!cells[start]) continue;
    const box = { left: columns, top: rows, right: 0, bottom: 0 };
    const stack = [start];
    cells[start] = 0;
    while (stack.length) {
      const cell = stack.pop();
      const [x, y] = [cell % columns, Math.floor(cell / columns)];
      Object.assign(box, union(box, { left: x, top: y, right: x + 1, bottom: y + 1 }));
      for (let v = Math.max(0, y - 1); v <= Math.min(rows - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(columns - 1, x + 1); u++) {
          if (cells[v * columns + u]) stack.push(v * columns + u);
          cells[v * columns + u] = 0;
        }
      }
    }
    boxes.push(
      tightened(pixels, width, {
        left: box.left * CELL,
        top: box.top * CELL,
        right: Math.min(width, box.right * CELL),
        bottom: Math.min(height, box.bottom * CELL),
      }),
    );
  }
  return boxes;
}

/** Merge boxes that together fit into half a window of the smallest size. */
function merged(boxes, { height, width }) {
  const groups = [];
  for (const box of boxes) {
    const fits = (group) => {
      const both = union(group, box);
      return both.right - both.left <= width / 2 && both.bottom - both.top <= height / 2;
    };
    const index = groups.findIndex(fits);
    if (index < 0) groups.push(box);
    else groups[index] = union(groups[index], box);
  }
  return groups;
}

/** Return the signature for a group of holes, and the factor by which its window is reduced. */
function choose(hole, box, ordered) {
  const need = ({ height, width }) =>
    Math.max((2 * (box.right - box.left)) / width, (2 * (box.bottom - box.top)) / height);
  const fitting = ordered.find((signature) => need(signature) <= 1);
  if (fitting) return { signature: fitting, scale: 1 };
  const signature = ordered.at(-1);
  // The diameter of the circle around the largest square in the hole: round holes are not split.
  const thickness = Math.SQRT2 * largestSquare(hole, box);
  const scale = (2 * thickness) / Math.min(signature.height, signature.width);
  return { signature, scale: Math.max(1, Math.min(scale, need(signature))) };
}

/** Return the side of the largest square that lies entirely in the hole. */
function largestSquare({ pixels, width }, box) {
  const count = box.right - box.left;
  let above = new Int32Array(count + 1);
  let row = new Int32Array(count + 1);
  let best = 0;
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = 0; x < count; x++) {
      const inside = pixels[y * width + box.left + x];
      row[x + 1] = inside ? 1 + Math.min(row[x], above[x], above[x + 1]) : 0;
      if (row[x + 1] > best) best = row[x + 1];
    }
    [above, row] = [row, above];
  }
  return best;
}

function* split(box, maxRows, maxColumns) {
  const rows = Math.ceil((box.bottom - box.top) / maxRows);
  const columns = Math.ceil((box.right - box.left) / maxColumns);
  const cut = (start, end, index, count) => Math.floor(start + ((end - start) * index) / count);
  for (let v = 0; v < rows; v++) {
    for (let u = 0; u < columns; u++) {
      yield {
        left: cut(box.left, box.right, u, columns),
        top: cut(box.top, box.bottom, v, rows),
        right: cut(box.left, box.right, u + 1, columns),
        bottom: cut(box.top, box.bottom, v + 1, rows),
      };
    }
  }
}

/** Return the start of a window: centred on the hole, inside the photo if it fits. */
function place(start, end, window, photo) {
  return Math.max(0, Math.min(Math.floor((start + end - window) / 2), photo - window));
}

/** Return the smallest box around the holes inside a box; null if there are none. */
function tightened(pixels, width, { left, top, right, bottom }) {
  const box = { left: right, top: bottom, right: left, bottom: top };
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      if (!pixels[y * width + x]) continue;
      if (x < box.left) box.left = x;
      if (x >= box.right) box.right = x + 1;
      if (y < box.top) box.top = y;
      box.bottom = y + 1;
    }
  }
  return box.right > box.left ? box : null;
}

function clear(pixels, width, { left, top, right, bottom }) {
  for (let y = top; y < bottom; y++) pixels.fill(0, y * width + left, y * width + right);
}

/** Return the smallest box around two boxes. */
export function union(a, b) {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}
