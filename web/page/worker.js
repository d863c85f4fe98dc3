// Python in a worker of the page: it starts once, and runs one program after the other.
import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide/pyodide.mjs";

const NOWHERE = "https://playground.invalid/"; // what Pyodide asks for there is at hand
let runner;

const asked = {
  async start({ wasm, library, wheels, source, lock, interrupt }) {
    const files = { "pyodide.asm.wasm": null, "python_stdlib.zip": library };
    self.fetch = async (url) => {
      const name = String(url).replace(NOWHERE, "");
      if (!(name in files)) throw new TypeError("this page asks nobody, so it opens no address");
      return new Response(files[name]);
    };
    // Compiled once by the page, for all its workers.
    WebAssembly.instantiateStreaming = async (_, imports) => (
      { module: wasm, instance: await WebAssembly.instantiate(wasm, imports) });
    const python = await loadPyodide({
      createPyodideModule, indexURL: NOWHERE, stdLibURL: `${NOWHERE}python_stdlib.zip`,
      lockFileContents: lock,
    });
    for (const wheel of wheels) python.unpackArchive(wheel, "whl");
    if (interrupt) python.setInterruptBuffer(interrupt);
    python.FS.writeFile("/home/pyodide/runner.py", source);
    runner = python.pyimport("runner");
    runner.start((text) => postMessage(JSON.parse(text)));
    postMessage({ kind: "ready" });
  },
  run: ({ code }) => runner.run(code),
  call: ({ slot, numbers }) => runner.call(slot, numbers),
};

addEventListener("message", async ({ data }) => {
  try {
    await asked[data.ask](data);
  } catch (error) {
    postMessage({ kind: "crashed", words: String(error?.message ?? error).slice(-4000) });
  }
});
