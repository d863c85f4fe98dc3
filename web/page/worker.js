// Python in a worker of the page: it starts once, and runs one program after the other.
import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide/pyodide.mjs";

const NOWHERE = "https://playground.invalid/"; // what Pyodide asks for there is at hand
const MOST_MEMORY = 2 ** 30, PAGE = 2 ** 16; // bytes: what the machine can spare
let runner;

// A program reaches this worker by Pyodide's `js`: what it says must not look like the runner's.
const tell = self.postMessage.bind(self);
delete DedicatedWorkerGlobalScope.prototype.postMessage;
self.postMessage = () => { throw new TypeError("a program cannot send messages to the page"); };

const asked = {
  async start({ wasm, library, wheels, sources, lock, interrupt }) {
    const files = { "pyodide.asm.wasm": null, "python_stdlib.zip": library };
    self.fetch = async (url) => {
      const name = String(url).replace(NOWHERE, "");
      if (!(name in files)) throw new TypeError("this page asks nobody, so it opens no address");
      return new Response(files[name]);
    };
    // Compiled once by the page, for all its workers.
    WebAssembly.instantiateStreaming = async (_, imports) => (
      { module: wasm, instance: await WebAssembly.instantiate(wasm, imports) });
    const { grow } = WebAssembly.Memory.prototype;
    WebAssembly.Memory.prototype.grow = function within(pages) {
      if (this.buffer.byteLength + pages * PAGE > MOST_MEMORY) throw new RangeError("no memory");
      return grow.call(this, pages);
    };
    const python = await loadPyodide({
      createPyodideModule, indexURL: NOWHERE, stdLibURL: `${NOWHERE}python_stdlib.zip`,
      lockFileContents: lock, stdin: () => null,
    });
    if (interrupt) python.setInterruptBuffer(interrupt);
    python.FS.mkdirTree("/house/web"); // not where programs write: that is emptied
    for (const wheel of wheels) python.unpackArchive(wheel, "whl", { extractDir: "/house" });
    for (const name in sources) python.FS.writeFile(`/house/web/${name}`, sources[name]);
    python.runPython("import sys; sys.path.append('/house')");
    runner = python.pyimport("web.runner");
    runner.start((text) => tell(JSON.parse(text)), "/home/pyodide");
    tell({ kind: "ready" });
  },
  run({ code }) {
    free(true);
    runner.run(code);
    free(false);
  },
  call: ({ slot, numbers }) => runner.call(slot, numbers),
};

// Forgets the program before. A very deep graph may be too deep to be taken apart: that ends Python,
// and the page need not speak of it.
function free(all) {
  try {
    runner.free(all);
  } catch (error) {
    error.isIdle = true;
    throw error;
  }
}

addEventListener("message", async ({ data }) => {
  try {
    await asked[data.ask](data);
  } catch (error) {
    const words = String(error?.message ?? error).slice(-4000);
    tell({ kind: "crashed", words, isIdle: error?.isIdle });
  }
});
