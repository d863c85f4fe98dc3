// Runs a file of Python in Pyodide under Node: FOLDER ROOT PROGRAM WHEELS... -- ARGUMENTS...
import { readFile } from "node:fs/promises";

const [folder, root, program, ...rest] = process.argv.slice(2);
const wheels = rest.slice(0, rest.indexOf("--"));
const args = [program, ...rest.slice(rest.indexOf("--") + 1)];

const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const env = { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1", PYTHONHASHSEED: "0" };
const pyodide = await loadPyodide({ args, env });
const extractDir = pyodide.runPython("import site; site.getsitepackages()[0]");
for (const wheel of wheels)
  pyodide.unpackArchive(new Uint8Array(await readFile(wheel)), "wheel", { extractDir });
pyodide.FS.mkdir("/brickgrad");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, "/brickgrad");
pyodide.FS.chdir("/brickgrad");
process.on("uncaughtException", error => {
  console.error(`Pyodide ended in ${globalThis.current ?? program}: ${error}`);
  process.exit(3);
});
const ended = pyodide.runPython(`
import sys

try:
    exec(compile(text, "program", "exec"), {"__name__": "__main__"})
    ended = 0
except SystemExit as stop:
    ended = stop.code
ended
`, { globals: pyodide.toPy({ text: await readFile(program, "utf8") }) });
process.exit(ended ?? 0);
