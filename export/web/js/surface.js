// The photo on the page, its hole on top, and the brush.

/** Alternating stripes, so that the hole differs from the photo not only in colour. */
const STRIPES = [
  [43, 80, 224, 190],
  [43, 80, 224, 120],
];
/** Width of a stripe on the screen, in CSS pixels. */
const STRIPE = 5;

/** The surface to paint on. Coordinates are in pixels of the photo. */
export class Surface {
  #photoCanvas;
  #holeCanvas;
  #ring;
  #last = null;

  /**
   * @param {HTMLElement} stage Holds the canvases and the brush's ring.
   * @param {{radius: number, erase: boolean}} brush
   * @param {() => void} onChange Called when the hole has changed.
   */
  constructor(stage, brush, onChange) {
    Object.assign(this, { stage, brush, onChange, photo: null, hole: null, enabled: false });
    this.#photoCanvas = stage.querySelector(".photo");
    this.#holeCanvas = stage.querySelector(".hole");
    this.#ring = stage.querySelector(".ring");
    /** The position of the brush. */
    this.point = { x: 0, y: 0 };
    new ResizeObserver(() => this.#draw()).observe(stage);
  }

  /** Show a photo and its hole. */
  show(photo, hole) {
    Object.assign(this, { photo, hole });
    this.stage.style.setProperty("--width", photo.width);
    this.stage.style.setProperty("--height", photo.height);
    photo.drawOn(this.#photoCanvas);
    this.#holeCanvas.width = photo.width;
    this.#holeCanvas.height = photo.height;
    this.point = { x: photo.width / 2, y: photo.height / 2 };
    this.redraw();
  }

  get isPainting() {
    return this.#last !== null;
  }

  /** Put the brush down. */
  begin(point, erase = this.brush.erase) {
    if (!this.enabled || this.isPainting) return;
    this.hole.beginStroke();
    this.#last = { point, erase };
    this.move(point);
  }

  /** Move the brush, and paint if it is down. */
  move(point) {
    this.point = point;
    this.#placeRing();
    if (!this.isPainting) return;
    const changed = this.hole.line(this.#last.point, point, this.brush.radius, this.#last.erase);
    this.#last.point = point;
    if (changed) this.#drawHole(changed);
    this.onChange();
  }

  /** Lift the brush. */
  end() {
    if (!this.isPainting) return;
    this.#last = null;
    this.hole.endStroke();
    this.onChange();
  }

  /** Lift the brush and discard the stroke. */
  cancel() {
    if (!this.isPainting) return;
    this.#last = null;
    this.hole.cancelStroke();
    this.redraw();
  }

  /** Redraw the hole and the brush after the hole has changed. */
  redraw() {
    this.#draw();
    this.onChange();
  }

  /** The number of pixels of the photo per CSS pixel. */
  get scale() {
    return this.photo.width / (this.stage.clientWidth || this.photo.width);
  }

  #draw() {
    if (!this.hole) return;
    const { width, height } = this.hole;
    this.#drawHole({ left: 0, top: 0, right: width, bottom: height });
    this.#placeRing();
  }

  #placeRing() {
    const { width, height } = this.hole;
    this.#ring.style.left = `${(100 * this.point.x) / width}%`;
    this.#ring.style.top = `${(100 * this.point.y) / height}%`;
    this.#ring.style.width = `${(200 * this.brush.radius) / width}%`;
    this.#ring.classList.toggle("erases", this.brush.erase);
  }

  #drawHole({ left, top, right, bottom }) {
    const stripe = STRIPE * this.scale;
    const width = right - left;
    const image = new ImageData(width, bottom - top);
    for (let y = top, to = 0; y < bottom; y++) {
      for (let x = left; x < right; x++, to += 4) {
        if (!this.hole.pixels[y * this.hole.width + x]) continue;
        image.data.set(STRIPES[Math.floor((x + y) / stripe) % 2], to);
      }
    }
    this.#holeCanvas.getContext("2d").putImageData(image, left, top);
  }
}
