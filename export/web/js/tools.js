// The buttons and sliders beside the photo.

import { element } from "./view.js";

/** The smallest brush diameter, in CSS pixels. */
const MIN_DIAMETER = 3;
/** The largest brush diameter, as a fraction of the photo's shorter side. */
const MAX_DIAMETER = 0.3;
/** The initial position of the slider, from 0 to 100. */
const INITIAL = 55;
const STEP = 5;

/**
 * @param {import("./surface.js").Surface} surface
 * @param {Record<string, (event: Event) => void>} actions Keyed by the button's id.
 */
export function connectTools(surface, actions) {
  const { brush } = surface;
  const size = element("size");

  for (const [id, action] of Object.entries(actions)) element(id).addEventListener("click", action);

  // Equal steps of the slider change the diameter by equal factors.
  let [minimum, maximum] = [1, 100];
  const setSize = (value) => {
    size.value = String(Math.max(0, Math.min(100, value)));
    const diameter = minimum * (maximum / minimum) ** (Number(size.value) / 100);
    brush.radius = diameter / 2;
    const shown = diameter < 10 ? diameter.toFixed(1) : String(Math.round(diameter));
    element("size-value").textContent = `${shown} px`;
    size.setAttribute("aria-valuetext", `${shown} pixels`);
    surface.move(surface.point);
  };
  const changeSize = (step) => setSize(Number(size.value) + step);
  size.addEventListener("input", () => setSize(Number(size.value)));

  const setTool = (tool) => {
    brush.erase = tool === "eraser";
    brush.moves = tool === "hand";
    surface.stage.classList.toggle("moves", brush.moves);
    document.querySelector(`[name="tool"][value="${tool}"]`).checked = true;
    surface.move(surface.point);
  };
  for (const input of document.querySelectorAll('[name="tool"]')) {
    input.addEventListener("change", () => setTool(input.value));
  }

  const history = (name) => () => {
    if (!surface.enabled || surface.isPainting) return;
    surface.hole[name]();
    surface.redraw();
  };
  const [undo, redo, clear] = ["undo", "redo", "clear"].map((name) => {
    element(name).addEventListener("click", history(name));
    return history(name);
  });
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || !surface.enabled) return;
    const key = event.key.toLowerCase();
    if (key === "z") (event.shiftKey ? redo : undo)();
    else if (key === "y") redo();
    else return;
    event.preventDefault();
  });

  return {
    /** Actions of keys while the photo has the focus. */
    keys: {
      "+": () => changeSize(STEP),
      "=": () => changeSize(STEP),
      "]": () => changeSize(STEP),
      "-": () => changeSize(-STEP),
      "[": () => changeSize(-STEP),
      e: () => setTool(brush.erase ? "brush" : "eraser"),
      b: () => setTool("brush"),
      h: () => setTool("hand"),
      delete: clear,
    },

    /** Give the brush a size that suits the photo. */
    fitBrush() {
      const { width, height } = surface.photo;
      maximum = Math.max(2, MAX_DIAMETER * Math.min(width, height));
      minimum = Math.min(maximum, Math.max(1, MIN_DIAMETER * surface.scale));
      setTool("brush");
      setSize(INITIAL);
    },

    /** Disable the buttons that would have no effect. */
    update() {
      const { hole } = surface;
      element("undo").disabled = !hole.canUndo;
      element("redo").disabled = !hole.canRedo;
      element("clear").disabled = !hole.count;
      element("complete").disabled = !hole.count;
    },

    /** Show the number of windows done; a total of 0 means that it is not known yet. */
    showProgress(done, total) {
      const progress = element("progress");
      // A single window has no steps to show.
      if (total > 1) Object.assign(progress, { max: total, value: done });
      else progress.removeAttribute("value");
    },
  };
}
