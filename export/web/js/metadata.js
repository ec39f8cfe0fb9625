// Reads the metadata of a model from its .tflite file.
//
// The file is a FlatBuffer; `keras-inpaint export` puts a JSON object into the metadata buffer
// named keras_inpaint. Only the fields that lead to it are read.

const NAME = "keras_inpaint";
const FORMAT = 1;
// Field numbers in TFLite's schema.
const MODEL = { buffers: 4, metadata: 6 };
const METADATA = { name: 0, buffer: 1 };
const BUFFER = { data: 0 };

/**
 * Read the metadata of a model.
 * @param {ArrayBuffer} bytes A .tflite file.
 * @returns {object?} The JSON object; null if the file has none in this format.
 */
export function readMetadata(bytes) {
  const view = new DataView(bytes);
  const magic = bytes.byteLength > 8 ? new TextDecoder().decode(bytes.slice(4, 8)) : "";
  if (magic !== "TFL3") throw new Error("it is not a TFLite file");
  const model = follow(view, 0);
  for (const entry of tables(view, field(view, model, MODEL.metadata))) {
    if (text(view, field(view, entry, METADATA.name)) !== NAME) continue;
    const number = view.getUint32(field(view, entry, METADATA.buffer), true);
    const buffer = tables(view, field(view, model, MODEL.buffers))[number];
    const metadata = JSON.parse(text(view, field(view, buffer, BUFFER.data)));
    return metadata.format === FORMAT ? metadata : null;
  }
  return null;
}

function follow(view, position) {
  return position + view.getUint32(position, true);
}

/** Return the position of a table's field; 0 if it has its default value. */
function field(view, table, number) {
  const vtable = table - view.getInt32(table, true);
  const slot = 4 + 2 * number;
  if (slot >= view.getUint16(vtable, true)) return 0;
  const offset = view.getUint16(vtable + slot, true);
  return offset ? table + offset : 0;
}

/** Return the positions of the tables of a vector. */
function tables(view, position) {
  if (!position) return [];
  const vector = follow(view, position);
  const count = view.getUint32(vector, true);
  return Array.from({ length: count }, (_, index) => follow(view, vector + 4 + 4 * index));
}

/** Return a vector of bytes as text. */
function text(view, position) {
  if (!position) return "";
  const vector = follow(view, position);
  const count = view.getUint32(vector, true);
  return new TextDecoder().decode(new Uint8Array(view.buffer, vector + 4, count));
}
