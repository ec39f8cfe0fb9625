// Reads a photo's colour profile, to store it with the completed photo.

import { chunk, deflate } from "./png.js";

const PNG_COLOUR_CHUNKS = new Set(["cICP", "iCCP", "sRGB", "gAMA", "cHRM"]);
const ICC_MARK = "ICC_PROFILE\0";

/**
 * Find the colour profile of a JPEG, PNG or WebP file.
 * @param {Uint8Array} bytes The file.
 * @returns {Promise<Uint8Array?>} Chunks for a PNG file; null if there is no profile.
 */
export async function readColourProfile(bytes) {
  if (text(bytes, 1, 4) === "PNG") return joined(pngChunks(bytes));
  const profile = text(bytes, 8, 12) === "WEBP" ? webpProfile(bytes) : jpegProfile(bytes);
  // The pixels are read as RGB, so only an RGB profile applies to them.
  if (!profile || text(profile, 16, 20) !== "RGB ") return null;
  const name = new TextEncoder().encode("ICC profile\0\0");
  return chunk("iCCP", joined([name, await deflate(profile)]));
}

function pngChunks(bytes) {
  const view = viewOf(bytes);
  const isGrey = [0, 4].includes(bytes[25]);
  const chunks = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    const type = text(bytes, at + 4, at + 8);
    if (type === "IDAT") break;
    if (PNG_COLOUR_CHUNKS.has(type) && !(isGrey && type === "iCCP")) {
      chunks.push(bytes.subarray(at, end));
    }
    at = end;
  }
  return chunks;
}

function jpegProfile(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  const view = viewOf(bytes);
  const parts = [];
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1];
    if (marker === 0xda) break; // Start of the pixel data.
    const end = at + 2 + view.getUint16(at + 2);
    const content = at + 4 + ICC_MARK.length;
    if (marker === 0xe2 && text(bytes, at + 4, content) === ICC_MARK) {
      // Each part is preceded by its number and the number of parts.
      parts[bytes[content]] = bytes.subarray(content + 2, end);
    }
    at = end;
  }
  return joined(parts.filter(Boolean));
}

function webpProfile(bytes) {
  const view = viewOf(bytes);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (text(bytes, at, at + 4) === "ICCP") return bytes.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  return null;
}

function joined(parts) {
  if (!parts.length) return null;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function text(bytes, start, end) {
  return String.fromCharCode(...bytes.subarray(start, end));
}
