// Runs the network in a worker, so that the page stays responsive.
//
// LiteRT's loader calls importScripts, so this is a classic worker. Import maps do not apply to
// workers, so the page passes the URLs of the packages.

"use strict";

let model = null;

const actions = {
  async load({ core, utils, wasm, bytes }) {
    const { litert, threads } = await start(core, utils, wasm);
    const loaded = await litert.loadAndCompile(new Uint8Array(bytes), {
      accelerator: "wasm",
      cpuOptions: { numThreads: threads },
    });
    const signatures = describe(loaded);
    model?.delete();
    model = loaded;
    return { signatures, threads };
  },

  async run({ signature, image, mask, height, width }) {
    const { litert } = await runtime;
    const inputs = {
      image: new litert.Tensor(image, [1, height, width, 3]),
      mask: new litert.Tensor(mask, [1, height, width, 1]),
    };
    let outputs = {};
    try {
      // By name, since the converter chooses the order of the inputs.
      outputs = await model.run(signature, inputs);
      return { completed: (await outputs.completed.data()).slice() };
    } finally {
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
    }
  },
};

self.onmessage = async ({ data }) => {
  try {
    const answer = await actions[data.action](data);
    const moved = answer.completed ? [answer.completed.buffer] : [];
    self.postMessage({ id: data.id, answer }, moved);
  } catch (error) {
    self.postMessage({ id: data.id, error: String(error?.message ?? error) });
  }
};

let runtime = null;

/** Start LiteRT once; a failed start can be retried. */
function start(core, utils, wasm) {
  runtime ??= load(core, utils, wasm).catch((error) => {
    runtime = null;
    throw error;
  });
  return runtime;
}

async function load(core, utils, wasm) {
  const litert = await importWith(core, { "@litertjs/wasm-utils": utils });
  if (await canUseThreads(litert)) {
    try {
      const script = await fetchScript(`${wasm}litert_wasm_threaded_internal.js`);
      locate(wasm, script);
      await litert.loadLiteRt(script);
      return { litert, threads: Math.min(4, navigator.hardwareConcurrency || 1) };
    } catch (error) {
      console.info("Using one thread:", error.message);
    }
  }
  locate(wasm);
  await litert.loadLiteRt(wasm);
  return { litert, threads: 1 };
}

async function canUseThreads(litert) {
  if (!self.crossOriginIsolated) return false;
  const features = await Promise.all(["relaxedSimd", "threads"].map(litert.supportsFeature));
  return features.every(Boolean);
}

/**
 * Fetch a script once for this worker and those that LiteRT starts from it, one per processor.
 * @returns {Promise<string>} A URL that ends in .js, so that LiteRT treats it as a file.
 */
async function fetchScript(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} returned status ${response.status}`);
  return `${URL.createObjectURL(await response.blob())}#.js`;
}

/** Set the location of LiteRT's files; in a worker, its loader would look beside this script. */
function locate(wasm, script) {
  self.ModuleFactory = undefined;
  self.Module = {
    locateFile: (name) => wasm + name,
    mainScriptUrlOrBlob: script,
    // LiteRT writes its whole log to the error stream.
    printErr: (line) => console.debug(line),
  };
}

/** Import a module with its bare specifiers replaced, as an import map would do. */
async function importWith(url, imports) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} returned status ${response.status}; run npm install`);
  let source = await response.text();
  for (const [name, target] of Object.entries(imports)) {
    if (!source.includes(`from "${name}"`)) throw new Error(`${url} does not import ${name}`);
    source = source.replaceAll(`from "${name}"`, `from ${JSON.stringify(target)}`);
  }
  const blob = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return await import(blob);
  } finally {
    URL.revokeObjectURL(blob);
  }
}

/** Return the signatures of an image completion model, smallest first; throws for other models. */
function describe(compiled) {
  const signatures = Object.entries(compiled.signatures).map(([name, signature]) => {
    const inputs = Object.fromEntries(signature.getInputDetails().map((d) => [d.name, d]));
    const outputs = signature.getOutputDetails().map((details) => details.name);
    const shape = [...(inputs.image?.shape ?? [])];
    if (shape.length !== 4 || !inputs.mask || !outputs.includes("completed")) {
      throw new Error(`signature ${name} must take image and mask and return completed`);
    }
    if (!(shape[1] > 0 && shape[2] > 0)) {
      throw new Error(`signature ${name} has no fixed size: export with --size, not --dynamic`);
    }
    return { name, height: shape[1], width: shape[2] };
  });
  return signatures.sort((a, b) => a.height * a.width - b.height * b.width);
}
