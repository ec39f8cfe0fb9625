// Fetches a model and runs it in a worker.

import { readMetadata } from "./metadata.js";

/** A LiteRT model in a worker. */
export class Runtime {
  #worker = new Worker(new URL("./worker.js", import.meta.url));
  #pending = new Map();
  #next = 0;

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.#pending.get(data.id);
      this.#pending.delete(data.id);
      if (data.error === undefined) resolve(data.answer);
      else reject(new Error(data.error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(`the worker failed: ${event.message ?? "it could not be loaded"}`);
      for (const { reject } of this.#pending.values()) reject(error);
      this.#pending.clear();
    };
  }

  /**
   * Load a model.
   * @param {ArrayBuffer} bytes A .tflite file of fixed sizes.
   * @returns {Promise<{signatures: {name: string, height: number, width: number}[],
   *   threads: number, metadata: object?}>}
   */
  async load(bytes) {
    const metadata = readMetadata(bytes);
    const core = import.meta.resolve("@litertjs/core");
    const answer = await this.#ask({
      action: "load",
      core,
      utils: import.meta.resolve("@litertjs/wasm-utils"),
      wasm: new URL("../wasm/", core).href,
      bytes,
    });
    return { ...answer, metadata };
  }

  /**
   * Complete one image of a signature's size.
   * @param {{name: string, height: number, width: number}} signature
   * @param {Float32Array} image RGB in [0, 1], row by row.
   * @param {Float32Array} mask 1 in the hole, 0 elsewhere.
   * @returns {Promise<Float32Array>} RGB in [0, 1].
   */
  async run({ name, height, width }, image, mask) {
    const request = { action: "run", signature: name, image, mask, height, width };
    return (await this.#ask(request, [image.buffer, mask.buffer])).completed;
  }

  #ask(request, transfer = []) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...request }, transfer);
    });
  }
}

/**
 * Fetch a model file.
 * @param {string} url
 * @param {(share: number) => void} onProgress Called with the fraction loaded.
 * @returns {Promise<ArrayBuffer?>} null if there is no such file.
 */
export async function fetchModel(url, onProgress) {
  const response = await fetch(url);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${url} returned status ${response.status}`);
  const total = Number(response.headers.get("Content-Length"));
  const parts = [];
  let count = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    count += value.length;
    if (total) onProgress(Math.min(1, count / total));
  }
  return new Blob(parts).arrayBuffer();
}
