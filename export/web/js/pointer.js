// Painting with a mouse, pen or finger. Two fingers zoom, as usual.

/** @param {import("./surface.js").Surface} surface */
export function paintWithPointer(surface) {
  const { stage } = surface;
  let painting = null;

  const pointOf = (event) => {
    const frame = stage.getBoundingClientRect();
    return {
      x: ((event.clientX - frame.left) / frame.width) * surface.photo.width,
      y: ((event.clientY - frame.top) / frame.height) * surface.photo.height,
    };
  };

  stage.addEventListener("pointerdown", (event) => {
    if (!surface.enabled || surface.brush.moves || painting !== null || ![0, 5].includes(event.button)) return;
    painting = event.pointerId;
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("pointed");
    const isEraser = event.button === 5; // The eraser end of a pen.
    surface.begin(pointOf(event), isEraser || surface.brush.erase);
  });

  stage.addEventListener("pointermove", (event) => {
    if (!surface.enabled || (painting !== null && event.pointerId !== painting)) return;
    stage.classList.toggle("pointed", event.pointerType !== "touch" || painting !== null);
    const events = painting === null ? [event] : event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) surface.move(pointOf(each));
  });

  stage.addEventListener("pointerup", (event) => {
    if (event.pointerId !== painting) return;
    painting = null;
    surface.end();
    if (event.pointerType === "touch") stage.classList.remove("pointed");
  });

  stage.addEventListener("pointercancel", (event) => {
    if (event.pointerId !== painting) return;
    painting = null;
    surface.cancel();
    stage.classList.remove("pointed");
  });

  stage.addEventListener("pointerleave", () => {
    if (painting === null) stage.classList.remove("pointed");
  });
}
