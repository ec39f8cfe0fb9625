// Zooms and pans the photo.

const MAX_FACTOR = 16;
const STEP = 1.5;

/** The photo's magnification relative to its frame, which scrolls. */
export class Zoom {
  #stage;
  #frame;
  #onChange;
  #dragged = null;

  /**
   * @param {HTMLElement} stage
   * @param {(factor: number) => void} onChange
   * @param {() => boolean} moves Whether dragging moves the photo.
   */
  constructor(stage, onChange, moves) {
    this.#stage = stage;
    this.#frame = stage.parentElement;
    this.#onChange = onChange;
    this.factor = 1;
    addEventListener("resize", () => this.set(1));
    this.#frame.addEventListener(
      "wheel",
      (event) => {
        // A pinch on a touchpad is reported as the wheel with Ctrl.
        if (!event.ctrlKey) return;
        event.preventDefault();
        this.set(this.factor * Math.exp(-event.deltaY / 200), event.clientX, event.clientY);
      },
      { passive: false },
    );
    stage.addEventListener("pointerdown", (event) => {
      // A finger scrolls the frame natively.
      if (event.pointerType === "touch" || !(event.button === 1 || (event.button === 0 && moves())))
        return;
      event.preventDefault();
      stage.setPointerCapture(event.pointerId);
      this.#dragged = event.pointerId;
    });
    stage.addEventListener("pointermove", (event) => {
      if (event.pointerId === this.#dragged) this.#scrollBy(-event.movementX, -event.movementY);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      stage.addEventListener(name, (event) => {
        if (event.pointerId === this.#dragged) this.#dragged = null;
      });
    }
  }

  closer() {
    this.set(this.factor * STEP);
  }

  farther() {
    this.set(this.factor / STEP);
  }

  /** Set the magnification; a point of the window, by default the frame's centre, stays put. */
  set(factor, x = null, y = null) {
    const before = this.#stage.getBoundingClientRect();
    const view = this.#frame.getBoundingClientRect();
    x ??= view.left + view.width / 2;
    y ??= view.top + view.height / 2;
    const [across, down] = [(x - before.left) / before.width, (y - before.top) / before.height];
    if (this.factor === 1) this.#frame.style.height = `${view.height}px`;
    this.factor = Math.max(1, Math.min(MAX_FACTOR, factor));
    if (this.factor < 1.01) {
      this.factor = 1;
      this.#frame.style.height = "";
    }
    this.#frame.classList.toggle("zoomed", this.factor > 1);
    this.#stage.style.setProperty("--zoom", this.factor);
    const after = this.#stage.getBoundingClientRect();
    this.#scrollBy(after.left + across * after.width - x, after.top + down * after.height - y);
    this.#onChange(this.factor);
  }

  /** Scroll a point of the photo, in fractions of its width and height, into view. */
  reveal(across, down) {
    if (this.factor === 1) return;
    const stage = this.#stage.getBoundingClientRect();
    const view = this.#frame.getBoundingClientRect();
    const margin = Math.min(view.width, view.height) / 6;
    const beyond = (place, from, to) => Math.min(0, place - from) + Math.max(0, place - to);
    this.#scrollBy(
      beyond(stage.left + across * stage.width, view.left + margin, view.right - margin),
      beyond(stage.top + down * stage.height, view.top + margin, view.bottom - margin),
    );
  }

  #scrollBy(left, top) {
    this.#frame.scrollBy({ left, top, behavior: "instant" });
  }
}
