// Run by `npm install`: removes the LiteRT files that the page never loads and compresses the
// others with Brotli at its highest level; serve.py and many static hosts send the compressed files.

import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";

const packages = new URL("./node_modules/@litertjs/", import.meta.url);
const unused = /jspi|metafile|bundle|\.map$|\.d\.ts$/;
const compress = promisify(brotliCompress);

async function prepare(name) {
  const file = new URL(name, packages);
  const compressed = new URL(`${name}.br`, packages);
  if (unused.test(name)) await rm(file);
  else if (/\.(js|wasm)$/.test(name) && !existsSync(compressed)) {
    await writeFile(compressed, await compress(await readFile(file)));
  }
}

const names = await readdir(packages, { recursive: true });
await Promise.all(names.map(prepare));
