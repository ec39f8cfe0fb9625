// The page and its states: empty, painting, working, done.

import { Compare } from "./compare.js";
import { complete, unlessAborted } from "./complete.js";
import { Hole } from "./hole.js";
import { paintWithKeyboard } from "./keyboard.js";
import { MissingModel, Network } from "./network.js";
import { readPhoto } from "./photo.js";
import { takePhotos } from "./photo_sources.js";
import { savePng } from "./png_files.js";
import { paintWithPointer } from "./pointer.js";
import { Server } from "./server.js";
import { Surface } from "./surface.js";
import { connectTools } from "./tools.js";
import {
  count,
  describeWindow,
  element,
  enter,
  save,
  say,
  showError,
  showNetwork,
} from "./view.js";
import { Zoom } from "./zoom.js";

const brush = { radius: 12, erase: false, moves: false };
const surface = new Surface(element("stage"), brush, onHoleChange);
const compare = new Compare(element("stage"));
/** Whether the page was sent by a server that completes photos. */
const isServed = "server" in document.documentElement.dataset;
const zoom = new Zoom(element("stage"), showZoom, () => brush.moves);
const network = isServed ? new Server(showNetwork) : new Network(showNetwork);

let result = null;
let work = null;

const tools = connectTools(surface, {
  complete: fill,
  stop: () => work?.abort(),
  edit: paint,
  closer: () => zoom.closer(),
  farther: () => zoom.farther(),
  fit: () => zoom.set(1),
  continue: () => open(result.photo),
  download: ({ currentTarget }) => {
    const { photo } = result;
    if (isServed) save(photo.file, photo.fileName.replace(/(\.[^.]*)?$/, "-completed$1"));
    else savePng("photo", photo, `${photo.name}-completed.png`, currentTarget);
  },
  "download-mask": ({ currentTarget }) =>
    savePng("mask", surface.hole, `${surface.photo.name}-hole.png`, currentTarget),
});
paintWithPointer(surface);
Object.assign(tools.keys, {
  1: () => zoom.set(1),
  2: () => zoom.closer(),
  3: () => zoom.farther(),
});
paintWithKeyboard(surface, tools.keys, say, (across, down) => zoom.reveal(across, down));

takePhotos(async (file, name) => {
  if (document.body.dataset.state === "working") return;
  say(`Reading ${name}`);
  try {
    open(await readPhoto(file, name));
  } catch (error) {
    if (surface.enabled) onHoleChange();
    else say("");
    showError(error.message);
  }
}, network.examples);

element("open-model").addEventListener("click", () => element("model-file").click());
element("model-file").addEventListener("change", ({ target }) => {
  showError(null);
  network.open(target.files[0]).catch((error) => showError(error.message));
  target.value = "";
});

if (isServed) {
  network.ready.catch((error) => showError(error.message));
} else {
  const model = new URLSearchParams(location.search).get("model") ?? "model.tflite";
  network.fetch(model).catch((error) => {
    showError(error.message, error instanceof MissingModel);
  });
}

/** Open a photo with an empty hole. */
function open(photo) {
  result = null;
  showError(null);
  zoom.set(1);
  surface.show(photo, new Hole(photo.width, photo.height));
  paint();
  tools.fitBrush();
  scrollTo(0, 0);
}

/** Enter the painting state. */
function paint() {
  enter("painting");
  surface.enabled = true;
  onHoleChange();
  surface.stage.focus({ preventScroll: true });
}

function onHoleChange() {
  if (!surface.enabled) return;
  tools.update();
  if (surface.isPainting) return;
  const { hole, photo } = surface;
  const share = (100 * hole.count) / (hole.width * hole.height);
  say(
    hole.count
      ? `${count(hole.count, "pixel")} to fill, ${share < 0.1 ? "under 0.1" : share.toFixed(1)} % of the photo`
      : `${photo.width} × ${photo.height} pixels. Paint over what to remove.`,
  );
}

/** Fill the hole and show the result. */
async function fill() {
  if (!surface.hole?.count || work) return;
  const { photo, hole } = surface;
  work = new AbortController();
  surface.end();
  surface.enabled = false;
  showError(null);
  enter("working");
  element("stop").focus({ preventScroll: true });
  try {
    tools.showProgress(0, 0);
    say(isServed ? "Waiting for the server" : "Waiting for the network");
    await unlessAborted(network.ready, work.signal);
    result = isServed
      ? await network.complete(photo, hole, { signal: work.signal, onProgress: say })
      : await complete(network, network.signatures, photo, hole, {
          signal: work.signal,
          onProgress: (done, total) => {
            tools.showProgress(done, total);
            say(total === 1 ? "Filling the hole" : `Filling part ${done + 1} of ${total}`);
          },
        });
    showResult(hole);
  } catch (error) {
    const stopped = work.signal.aborted;
    paint();
    if (stopped) say("Stopped. Nothing was changed.");
    else showError(error.message, error instanceof MissingModel);
  } finally {
    work = null;
  }
}

function showResult(hole) {
  enter("done");
  compare.show(result.photo, restingPlace(hole));
  element("windows").replaceChildren(
    ...result.windows.map(describeWindow),
    ...(result.notes ?? []).map(describeNote),
  );
  const parts = result.windows.length <= 1 ? "" : ` in ${result.windows.length} parts`;
  say(`Done: ${count(hole.count, "pixel")} filled${parts} in ${result.seconds.toFixed(1)} s.`);
  compare.slider.focus({ preventScroll: true });
}

function showZoom(factor) {
  element("zoom").textContent = `${Math.round(100 * factor)} %`;
  element("farther").disabled = element("fit").disabled = factor === 1;
  if (surface.photo) surface.redraw();
}

function describeNote(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}

/** Return a position for the line, left of the hole, in percent of the width. */
function restingPlace({ pixels, width }) {
  let leftmost = width;
  for (let i = pixels.indexOf(1); i >= 0; i = pixels.indexOf(1, i + 1)) {
    leftmost = Math.min(leftmost, i % width);
  }
  return Math.max(3, Math.min(50, (100 * leftmost) / width - 5));
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape") work?.abort();
});
