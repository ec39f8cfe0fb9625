// A photo's pixels, exactly as its file holds them.

import { readColourProfile } from "./colour_profile.js";
import { straightPixels } from "./straight_pixels.js";

const RAW = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/** 8-bit RGBA, upright, alpha apart from colour. */
export class Photo {
  /**
   * @param {Uint8ClampedArray<ArrayBuffer>} pixels
   * @param {number} width
   * @param {number} height
   * @param {string} name The file's name without its ending.
   * @param {Uint8Array?} profile What the file says about its colours, as PNG chunks.
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

  /** Show it on a canvas, which gets its size. */
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
 * @throws {Error} If the browser cannot read it; the message is for people.
 */
export async function readPhoto(file, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { ...RAW, imageOrientation: "from-image" });
  } catch {
    throw new Error(`${name} is no picture that this browser can read.`);
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
    // A canvas keeps see-through colours only roughly.
    if (data[i] !== 255) return straightPixels(bitmap) ?? data;
  }
  return data;
}
