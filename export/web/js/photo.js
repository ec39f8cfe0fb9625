// Reads the pixels of a photo exactly as stored in its file.

import { readColourProfile } from "./colour_profile.js";
import { straightPixels } from "./straight_pixels.js";

const RAW = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/** An upright photo: 8-bit RGBA with straight alpha. */
export class Photo {
  /**
   * @param {Uint8ClampedArray<ArrayBuffer>} pixels
   * @param {number} width
   * @param {number} height
   * @param {string} name The file's name without its extension.
   * @param {Uint8Array?} profile The colour profile, as PNG chunks.
   * @param {Blob} file The file itself.
   * @param {string} fileName
   */
  constructor(pixels, width, height, name, profile, file, fileName) {
    Object.assign(this, { pixels, width, height, name, profile, file, fileName });
  }

  copy() {
    const { width, height, name, profile, file, fileName } = this;
    return new Photo(this.pixels.slice(), width, height, name, profile, file, fileName);
  }

  /** Draw the photo on a canvas, which is resized to it. */
  drawOn(canvas) {
    canvas.width = this.width;
    canvas.height = this.height;
    canvas.getContext("2d").putImageData(new ImageData(this.pixels, this.width, this.height), 0, 0);
  }
}

/**
 * Read a photo.
 * @param {Blob} file
 * @param {string} name The file's name.
 * @returns {Promise<Photo>}
 * @throws {Error} If the browser cannot read it; the message is shown to the user.
 */
export async function readPhoto(file, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { ...RAW, imageOrientation: "from-image" });
  } catch {
    throw new Error(`${name} is not an image that this browser can read.`);
  }
  const { width, height } = bitmap;
  try {
    const pixels = readPixels(bitmap);
    const profile = await readColourProfile(new Uint8Array(await file.arrayBuffer()));
    const title = name.replace(/\.[^.]*$/, "") || "photo";
    return new Photo(pixels, width, height, title, profile, file, name);
  } catch (error) {
    console.error(error);
    throw new Error(`${name} is too large for this browser: ${width} × ${height} pixels.`);
  } finally {
    bitmap.close();
  }
}

function readPixels(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  for (let i = 3; i < data.length; i += 4) {
    // A canvas rounds the colours of transparent pixels.
    if (data[i] !== 255) return straightPixels(bitmap) ?? data;
  }
  return data;
}
