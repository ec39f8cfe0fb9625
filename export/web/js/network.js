// The network that the page uses: loads it and reports its state.

import { fetchModel, Runtime } from "./runtime.js";

/** Thrown if a model file does not exist; the page then shows how to export one. */
export class MissingModel extends Error {}

/** Loads a model and reports its state. */
export class Network {
  #runtime = new Runtime();

  /**
   * @param {(state: "loading" | "ready" | "failed", words: string, more?: string) => void} onState
   */
  constructor(onState) {
    this.onState = onState;
    /** URLs of example photos in addition to the page's own. */
    this.examples = [];
    this.signatures = [];
    this.metadata = null;
    this.threads = 0;
    /** Resolves when a model can be used; rejects if it cannot be loaded. */
    this.ready = null;
  }

  /** Load a model from this site. */
  fetch(url) {
    return this.#begin(url, async () => {
      const bytes = await fetchModel(url, (share) => {
        this.onState("loading", `Loading the network, ${Math.round(100 * share)} %`);
      });
      if (!bytes) throw new MissingModel(`There is no ${url} here.`);
      return bytes;
    });
  }

  /** Load a model from a file chosen by the user. */
  open(file) {
    return this.#begin(file.name, () => file.arrayBuffer());
  }

  /** Complete one image; see `Runtime.run`. */
  run(signature, image, mask) {
    return this.#runtime.run(signature, image, mask);
  }

  #begin(name, read) {
    this.ready = this.#load(name, read, this.ready);
    this.ready.catch(() => this.onState("failed", "No network"));
    return this.ready;
  }

  async #load(name, read, earlier) {
    this.onState("loading", "Loading the network");
    const bytes = await read();
    // Wait for an earlier model, so that the one chosen last is used.
    await earlier?.catch(() => {});
    this.onState("loading", "Starting the network");
    try {
      Object.assign(this, await this.#runtime.load(bytes));
    } catch (error) {
      throw new Error(`${name} cannot be used: ${error.message}`);
    }
    const sizes = this.signatures.map(({ width, height }) => `${width} × ${height}`).join(", ");
    const threads = this.threads === 1 ? "one thread" : `${this.threads} threads`;
    this.onState("ready", "Network ready", `${this.metadata?.name ?? name}: ${sizes}, ${threads}`);
  }
}
