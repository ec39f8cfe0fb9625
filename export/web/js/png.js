// Writes PNG files. A canvas would round the colours of transparent pixels and drop the profile.

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const NOTHING = new Uint8Array(0);
const GREY = 0;
const RGB = 2;
const RGBA = 6;

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/**
 * Encode a photo with its colour profile.
 * @param {import("./photo.js").Photo} photo
 * @returns {Promise<Blob>}
 */
export function photoPng({ pixels, width, height, profile }) {
  let opaque = true;
  for (let i = 3; opaque && i < pixels.length; i += 4) opaque = pixels[i] === 255;
  if (!opaque) return encode(pixels, width, height, RGBA, 4, profile);
  const colours = new Uint8Array(3 * width * height);
  for (let to = 0, from = 0; to < colours.length; from += 4) {
    colours[to++] = pixels[from];
    colours[to++] = pixels[from + 1];
    colours[to++] = pixels[from + 2];
  }
  return encode(colours, width, height, RGB, 3, profile);
}

/**
 * Encode a hole as a mask: white is the hole.
 * @param {import("./hole.js").Hole} hole
 * @returns {Promise<Blob>}
 */
export function maskPng({ pixels, width, height }) {
  return encode(pixels.map((value) => 255 * value), width, height, GREY, 1, null);
}

/** Return a PNG chunk: length, type, content, checksum. */
export function chunk(type, content) {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(content, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < bytes.length - 4; i++) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  view.setUint32(bytes.length - 4, ~crc);
  return bytes;
}

/** Compress bytes in the zlib format. */
export async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function encode(samples, width, height, colourType, channels, profile) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colourType, 0, 0, 0], 8);
  const data = await deflate(filtered(samples, height, width * channels, channels));
  const chunks = [chunk("IHDR", header), profile ?? NOTHING, chunk("IDAT", data)];
  return new Blob([SIGNATURE, ...chunks, chunk("IEND", NOTHING)], { type: "image/png" });
}

/** Return the filtered rows, each preceded by the number of the filter with the smallest sum. */
function filtered(samples, height, stride, channels) {
  const rows = new Uint8Array(height * (stride + 1));
  const candidates = FILTERS.map(() => new Uint8Array(stride));
  const zeros = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const row = samples.subarray(y * stride, (y + 1) * stride);
    const above = y ? samples.subarray((y - 1) * stride, y * stride) : zeros;
    let best = 0;
    let smallest = Infinity;
    FILTERS.forEach((filter, number) => {
      const candidate = candidates[number];
      filter(row, above, channels, candidate);
      let sum = 0;
      for (let i = 0; i < stride; i++) sum += Math.min(candidate[i], 256 - candidate[i]);
      if (sum < smallest) [best, smallest] = [number, sum];
    });
    rows[y * (stride + 1)] = best;
    rows.set(candidates[best], y * (stride + 1) + 1);
  }
  return rows;
}

// In the order of their numbers in PNG.
const FILTERS = [
  function none(row, above, bytes, to) {
    to.set(row);
  },
  function sub(row, above, bytes, to) {
    for (let i = 0; i < row.length; i++) to[i] = row[i] - (i < bytes ? 0 : row[i - bytes]);
  },
  function up(row, above, bytes, to) {
    for (let i = 0; i < row.length; i++) to[i] = row[i] - above[i];
  },
  function average(row, above, bytes, to) {
    for (let i = 0; i < row.length; i++) {
      to[i] = row[i] - (((i < bytes ? 0 : row[i - bytes]) + above[i]) >> 1);
    }
  },
  function paeth(row, above, bytes, to) {
    for (let i = 0; i < row.length; i++) {
      const left = i < bytes ? 0 : row[i - bytes];
      const corner = i < bytes ? 0 : above[i - bytes];
      const guess = left + above[i] - corner;
      const a = Math.abs(guess - left);
      const b = Math.abs(guess - above[i]);
      const c = Math.abs(guess - corner);
      to[i] = row[i] - (a <= b && a <= c ? left : b <= c ? above[i] : corner);
    }
  },
];
