// Painting with the keyboard: arrows move the brush, Space paints while it is held down, Enter
// lowers or lifts the brush.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** A fine step on the screen, in CSS pixels. */
const FINE = 1;

/**
 * @param {import("./surface.js").Surface} surface
 * @param {Record<string, () => void>} commands Keyed by the key, such as "+" or "e".
 * @param {(message: string) => void} say
 * @param {(across: number, down: number) => void} reveal Scrolls a point of the photo into view.
 */
export function paintWithKeyboard(surface, commands, say, reveal) {
  const { stage } = surface;
  let latched = false;

  const announce = () => {
    const { x, y } = surface.point;
    const pen = surface.isPainting ? "brush down" : "brush up";
    const { width, height, pixels } = surface.hole;
    const column = Math.min(width - 1, Math.floor(x));
    const row = Math.min(height - 1, Math.floor(y));
    const place = pixels[row * width + column] ? "in the hole" : "outside the hole";
    say(`${column} across, ${row} down, ${place}, ${pen}`);
  };

  const lift = () => {
    latched = false;
    surface.end();
  };

  stage.addEventListener("keydown", (event) => {
    if (!surface.enabled || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    const command = commands[event.key.toLowerCase()];
    if (arrow) {
      const step = event.shiftKey
        ? FINE * surface.scale
        : Math.max(FINE * surface.scale, surface.brush.radius / 2);
      const { width, height } = surface.photo;
      surface.move({
        x: Math.max(0, Math.min(width, surface.point.x + step * arrow[0])),
        y: Math.max(0, Math.min(height, surface.point.y + step * arrow[1])),
      });
      reveal(surface.point.x / width, surface.point.y / height);
      announce();
    } else if (event.key === " ") {
      if (!event.repeat) surface.begin(surface.point);
      if (!event.repeat) announce();
    } else if (event.key === "Enter") {
      if (latched) lift();
      else surface.begin(surface.point);
      latched = surface.isPainting;
      announce();
    } else if (command) {
      command();
    } else {
      return;
    }
    event.preventDefault();
    stage.classList.add("keyed");
  });

  stage.addEventListener("keyup", (event) => {
    if (event.key === " " && !latched) surface.end();
  });

  stage.addEventListener("blur", () => {
    if (!stage.matches(":active")) lift();
    stage.classList.remove("keyed");
  });
  stage.addEventListener("pointermove", () => stage.classList.remove("keyed"));
}
