// Before and after, with a slider between them.

/** Duration of the sweep, in milliseconds. */
const SWEEP = 700;

/** Shows a completed photo over the original. */
export class Compare {
  #canvas;
  #frame;

  /** @param {HTMLElement} stage Holds the result's canvas and the slider. */
  constructor(stage) {
    this.stage = stage;
    this.slider = stage.querySelector(".compare input");
    this.#canvas = stage.querySelector(".result");
    this.slider.addEventListener("input", () => {
      cancelAnimationFrame(this.#frame);
      this.#place(Number(this.slider.value));
    });
  }

  /**
   * Show a result: the line sweeps across it and stops left of the hole.
   * @param {import("./photo.js").Photo} photo
   * @param {number} rest Where the line stops, in percent of the width.
   */
  show(photo, rest) {
    photo.drawOn(this.#canvas);
    cancelAnimationFrame(this.#frame);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#place(rest);
      return;
    }
    const begin = performance.now();
    const step = (now) => {
      const share = Math.max(0, Math.min(1, (now - begin) / SWEEP));
      this.#place(100 + (rest - 100) * (1 - (1 - share) ** 3));
      if (share < 1) this.#frame = requestAnimationFrame(step);
    };
    step(begin);
  }

  #place(percent) {
    this.slider.value = String(percent);
    this.slider.setAttribute("aria-valuetext", `${Math.round(100 - percent)} % after`);
    this.stage.style.setProperty("--line", `${percent}%`);
  }
}
