// The server that the page came from, which completes photos instead of this browser.

import { readPhoto } from "./photo.js";
import { maskFile } from "./png_files.js";
import { element } from "./view.js";

const KEY = "keras-inpaint-key";

/** Completes photos by `POST /complete`; stands in the place of `Network`. */
export class Server {
  /** @param {(state: "loading" | "ready" | "failed", words: string, more?: string) => void} onState */
  constructor(onState) {
    this.onState = onState;
    /** Addresses of photos to try beside the page's own. */
    this.examples = [0, 1, 2].map((index) => `examples/portrait-${index}.jpg`);
    /** Resolved when the server takes photos. */
    this.ready = this.#connect();
    this.ready.catch(() => onState("failed", "No server"));
  }

  /**
   * Complete a photo; a signal that is aborted stops the server's work, too.
   * @param {import("./photo.js").Photo} photo
   * @param {import("./hole.js").Hole} hole
   * @param {{signal: AbortSignal, onProgress: (words: string) => void}} options
   */
  async complete(photo, hole, { signal, onProgress }) {
    const started = performance.now();
    const tell = () => {
      const seconds = Math.floor((performance.now() - started) / 1000);
      onProgress(`Filling the hole on the server, ${seconds} s`);
    };
    tell();
    const clock = setInterval(tell, 1000);
    try {
      return await this.#complete(photo, hole, signal, started);
    } finally {
      clearInterval(clock);
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
        const option = new Option(name === "auto" ? "what fits the photo" : name, name);
        option.selected = isDefault;
        option.title = card.description ?? "";
        return option;
      }),
    );
    element("model-choice").hidden = models.length < 2;
    this.onState("ready", "Server ready");
  }

  /** Ask again while models are being loaded. */
  async #whenReady(ask) {
    for (;;) {
      try {
        return await ask();
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
      const given = prompt("This server asks for its key:");
      if (given) {
        sessionStorage.setItem(KEY, given.trim());
        return this.#fetch(path, options);
      }
    }
    const { error } = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(error ?? `The server answers ${answer.status}.`), {
      status: answer.status,
    });
  }
}

/** Say in place of an error that the server has gone: the page's own files come from there, too. */
function lost(error) {
  throw new Error("The server does not answer; is it still running?", { cause: error });
}
