// Completes photos on the server that sent the page.

import { readPhoto } from "./photo.js";
import { maskFile } from "./png_files.js";
import { element } from "./view.js";

const KEY = "keras-inpaint-key";

/** Completes photos with `POST /complete`; used in place of `Network`. */
export class Server {
  /** @param {(state: "loading" | "ready" | "failed", words: string, more?: string) => void} onState */
  constructor(onState) {
    this.onState = onState;
    /** URLs of example photos in addition to the page's own. */
    this.examples = [0, 1, 2].map((index) => `examples/portrait-${index}.jpg`);
    /** Resolves when the server accepts photos. */
    this.ready = this.#connect();
    this.ready.catch(() => onState("failed", "No server"));
  }

  /**
   * Complete a photo; aborting the signal also stops the work on the server.
   * @param {import("./photo.js").Photo} photo
   * @param {import("./hole.js").Hole} hole
   * @param {{signal: AbortSignal, onProgress: (words: string) => void}} options
   */
  async complete(photo, hole, { signal, onProgress }) {
    const started = performance.now();
    const report = () => {
      const seconds = Math.floor((performance.now() - started) / 1000);
      onProgress(`Filling the hole on the server, ${seconds} s`);
    };
    report();
    const timer = setInterval(report, 1000);
    try {
      return await this.#complete(photo, hole, signal, started);
    } finally {
      clearInterval(timer);
    }
  }

  async #complete(photo, hole, signal, started) {
    const form = new FormData();
    form.append("photo", photo.file, photo.fileName);
    form.append("mask", await maskFile(hole).catch(lost), "mask.png");
    form.append("model", element("model").value);
    const answer = await this.#fetch("complete", { method: "POST", body: form, signal });
    const completed = await readPhoto(await answer.blob(), photo.fileName);
    return {
      photo: completed,
      windows: [],
      notes: JSON.parse(answer.headers.get("x-keras-inpaint-notes") ?? "[]"),
      seconds: (performance.now() - started) / 1000,
    };
  }

  async #connect() {
    this.onState("loading", "Waiting for the server");
    const { models } = await this.#whenReady(() => this.#fetch("models").then((r) => r.json()));
    const select = element("model");
    select.replaceChildren(
      ...models.map(({ name, default: isDefault, card }) => {
        const option = new Option(name === "auto" ? "automatic" : name, name);
        option.selected = isDefault;
        option.title = card.description ?? "";
        return option;
      }),
    );
    element("model-choice").hidden = models.length < 2;
    this.onState("ready", "Server ready");
  }

  /** Repeat a request while models are being loaded. */
  async #whenReady(request) {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (error.status !== 503) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  async #fetch(path, options = {}) {
    const key = sessionStorage.getItem(KEY);
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    const answer = await fetch(path, { ...options, headers }).catch((error) => {
      options.signal?.throwIfAborted();
      lost(error);
    });
    if (answer.ok) return answer;
    if (answer.status === 401) {
      const entry = prompt("This server requires a key:");
      if (entry) {
        sessionStorage.setItem(KEY, entry.trim());
        return this.#fetch(path, options);
      }
    }
    const { error } = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(error ?? `The server returned status ${answer.status}.`), {
      status: answer.status,
    });
  }
}

/** Throw a readable error; the page's own files also come from the server, so it must be gone. */
function lost(error) {
  throw new Error("The server does not answer; is it still running?", { cause: error });
}
