// The workers that run Python: one that works, and a spare one for when it has to be ended.
import { part, parts, unpacked } from "./parts.js";

const SPARE_AFTER = 2000; // ms, so that it does not slow the first run
const PATIENCE = 1500; // ms that a program has to end when it is asked to

const shared = globalThis.crossOriginIsolated ? new Uint8Array(new SharedArrayBuffer(1)) : null;
let address, given; // what every worker starts from
let worker = null, spare = null, listen;

// Starts Python; `heard` gets all messages of the worker that works.
export async function open(heard) {
  listen = heard;
  const [script, wasm, library, ...wheels] = await Promise.all(
    [unpacked("worker"), unpacked("wasm").then((bytes) => WebAssembly.compile(bytes)),
      part("library"), ...parts("wheel")]);
  address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  given = { ask: "start", wasm, library, wheels, interrupt: shared, ...JSON.parse(
    document.getElementById("runner").textContent) };
  use(made());
}

export const run = (code) => { if (shared) shared[0] = 0; worker.postMessage({ ask: "run", code }); };
export const call = (slot, numbers) => worker.postMessage({ ask: "call", slot, numbers });

// Ends the program: it is asked to where the browser allows that; else, or when it does not listen,
// `forced` is called.
export function stop(forced) {
  if (!shared) return forced();
  const asked = worker;
  shared[0] = 2; // Ctrl-C
  setTimeout(() => { if (worker === asked && shared[0]) forced(); }, PATIENCE);
}

// A new Python in the place of the one that works; all its names are gone.
export function replace() {
  worker.terminate();
  const next = spare ?? made();
  spare = null;
  use(next);
}

function made() {
  const fresh = new Worker(address);
  fresh.onmessage = ({ data }) => {
    if (data?.kind === "ready") fresh.isReady = true;
    if (fresh === worker) hear(data);
  };
  fresh.onerror = (event) => {
    event.preventDefault();
    if (fresh === worker) listen({ kind: "crashed", words: event.message ?? "" });
    else spare = null;
  };
  fresh.postMessage(given);
  return fresh;
}

function use(next) {
  worker = next;
  if (next.isReady) hear({ kind: "ready" });
}

function hear(message) {
  listen(message);
  const small = navigator.deviceMemory < 4; // GB: a telephone
  if (message?.kind === "ready" && !small) setTimeout(() => { spare ??= made(); }, SPARE_AFTER);
}
