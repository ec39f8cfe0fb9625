// Reads the exact colours of transparent pixels: a 2D canvas rounds them, a texture does not.

const TILE = 2048;

/**
 * Read a bitmap through WebGL.
 * @param {ImageBitmap} bitmap Made with premultiplyAlpha "none".
 * @returns {Uint8ClampedArray?} RGBA; null if WebGL is missing or fails.
 */
export function straightPixels(bitmap) {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl) return null;
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  if (Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return null;
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  const pixels = new Uint8ClampedArray(4 * width * height);
  // In strips, since some drivers misread large areas.
  for (let y = 0; y < height; y += TILE) {
    const rows = Math.min(TILE, height - y);
    const strip = new Uint8Array(pixels.buffer, 4 * width * y, 4 * width * rows);
    gl.readPixels(0, y, width, rows, gl.RGBA, gl.UNSIGNED_BYTE, strip);
  }
  const failed = gl.getError() !== gl.NO_ERROR;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return failed ? null : pixels;
}
