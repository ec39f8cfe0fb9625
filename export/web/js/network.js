// The network the page uses: where it comes from, and how far it is.

import { fetchModel, Runtime } from "./runtime.js";

/** A model file that there is not, so that the page can say how to make one. */
export class MissingModel extends Error {}

/** Loads a model and says what is going on. */
export class Network {
  #runtime = new Runtime();

  /**
   * @param {(state: "loading" | "ready" | "failed", words: string, more?: string) => void} onState
   */
  constructor(onState) {
    this.onState = onState;
    /** Addresses of photos to try beside the page's own. */
    this.examples = [];
    this.signatures = [];
    this.metadata = null;
    this.threads = 0;
    /** Resolved when a model can be used; rejected when it could not be loaded. */
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

  /** Load a model from a file that somebody chose. */
  open(file) {
    return this.#begin(file.name, () => file.arrayBuffer());
  }

  /** Complete one picture; see `Runtime.run`. */
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
    // The model that was chosen last is the one that stays, however long an earlier one takes.
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
