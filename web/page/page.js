// The playground: what the buttons do, which program the editor shows, and how a run goes.
import * as drafts from "./drafts.js";
import { editor as editorIn } from "./editor.js";
import { decoded, encoded, LinkError, MOST_CODE } from "./link.js";
import * as python from "./python.js";
import * as results from "./results.js";

const $ = (id) => document.getElementById(id);
const EXAMPLES = JSON.parse($("examples").textContent); // [{ name, words, code }]

// --- the program ------------------------------------------------------------------------------

let shown; // { name, words, isForeign, key: what the list calls it, draft: once it was changed }
const editor = editorIn($("editor"), { typed, run, refused: tooLong, most: MOST_CODE });

function show(source, code) {
  shown = source;
  editor.show(code);
  $("words").hidden = !source.words;
  $("words").replaceChildren(...(source.words ?? []).map(paragraph));
  $("foreign").hidden = !source.isForeign;
  list();
}

function tooLong(length) {
  const [most, given] = [MOST_CODE, length].map((number) => number.toLocaleString("en"));
  say(`A program here has at most ${most} characters; this would make it ${given}, so nothing was `
    + "changed.");
}

// A paragraph in which `code` stands between backticks.
function paragraph(words) {
  const made = document.createElement("p");
  made.append(...words.split("`").map((text, k) => {
    if (k % 2 === 0) return text;
    const code = document.createElement("code");
    code.textContent = text;
    return code;
  }));
  return made;
}

function typed(code) {
  editor.clear();
  if (shown.draft) drafts.changed(shown.draft, code);
  else {
    shown.draft = drafts.begun(`${shown.name}, changed`, code);
    forgetLink();
    list();
  }
}

// The list of programs: examples, then what the reader has typed, newest first.
function list() {
  const option = (value, name) => new Option(name, value);
  const group = (label, options) => {
    const found = document.createElement("optgroup");
    found.label = label;
    found.append(...options);
    return found;
  };
  const own = drafts.all().map(({ name }) => option(`own ${name}`, name)).reverse();
  const kinds = [group("Examples", EXAMPLES.map(({ name }, k) => option(`example ${k}`, name)))];
  if (own.length) kinds.unshift(group("Your code", own));
  if (shown.isForeign && !shown.draft) kinds.unshift(option("link", "From a link"));
  $("chooser").replaceChildren(...kinds);
  $("chooser").value = shown.draft ? `own ${shown.draft.name}` : shown.key;
  $("back").hidden = !own.length || Boolean(shown.draft);
}

const showExample = (k) => show({ ...EXAMPLES[k], key: `example ${k}` }, EXAMPLES[k].code);
const showDraft = (draft) => show({ name: draft.name, draft }, draft.text);
const showLast = () => showDraft(drafts.all().at(-1));

function choose() {
  const [, kind, which] = $("chooser").value.match(/(\w+) ?(.*)/);
  if (kind === "example") showExample(Number(which));
  else if (kind === "own") showDraft(drafts.all().find(({ name }) => name === which));
  forgetLink();
}

// From now on the page opens with what the reader has, not with the code of its link.
function forgetLink() {
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
}

// Shows the code of the link by which the page was opened; runs nothing.
async function follow() {
  try {
    const code = await decoded(location.hash);
    if (code === null) return false;
    show({ name: "From a link", isForeign: true, key: "link" }, code);
    return true;
  } catch (error) {
    results.note(error.message);
    return false;
  }
}

// --- a run ------------------------------------------------------------------------------------

const KEPT = "Your code is still here.";
const STOPPED = "Stopped. All names of the program are gone; Run starts it anew.";
const SILENT = "The program came to its end, and printed nothing. print(...) shows a number, "
  + "and so does its name on the last line.";
const LONG = 500; // ms that a pad's answer may take before Stop is offered
const CAUSES = [ // what a worker that broke down says, and what that means
  [/memory|allocation/i, "Python ran out of memory and was started anew."],
  [/stack|recursion/i, "Too many calls inside each other: Python was started anew."],
];

let isReady = false, isWaiting = false; // Python; a program, for Python
let doing = null; // "program" or "answer"
let ran = ""; // the program of the results, as it was when Run was pressed
let isWrong = false; // it ended with an error
let asked = null, slow; // what a pad asks next; a timer

const say = (words) => { $("status").textContent = words; };
const seconds = (amount) => (amount < 0.1 ? "less than 0.1 s" : `${amount.toFixed(1)} s`);

function state(words, isBusy) {
  clearTimeout(slow);
  if (!isBusy && document.activeElement === $("stop")) $("run").focus(); // else the keyboard is lost
  $("stop").disabled = !isBusy;
  document.body.classList.toggle("running", isBusy);
  say(words);
}

function run() {
  if (doing === "program" || isWaiting) return say("A program is running: Stop ends it.");
  $("foreign").hidden = true;
  editor.clear();
  results.clear();
  asked = null;
  isWrong = false;
  ran = editor.text();
  if (isReady && !doing) begin();
  else {
    isWaiting = true;
    state("Python is starting; then your program runs.", true);
  }
  if (matchMedia("(max-width: 899px)").matches) $("results").scrollIntoView();
}

function begin() {
  isWaiting = false;
  doing = "program";
  python.run(ran);
  state("Running.", true);
}

// What is drawn in a pad goes to its function: the newest numbers, one question at a time.
function ask(slot, numbers) {
  asked = { slot, numbers };
  if (isReady && !doing) answer();
}

function answer() {
  doing = "answer";
  python.call(asked.slot, asked.numbers);
  asked = null;
  clearTimeout(slow);
  slow = setTimeout(() => state("Answering.", true), LONG);
}

function stop() {
  isWaiting = false;
  if (!doing) return state(isReady ? "Ready." : "Python is starting.", false);
  say("Stopping.");
  python.stop(() => replace(STOPPED));
}

function replace(words) {
  isReady = isWaiting = false;
  doing = asked = null;
  results.endPads();
  results.note(words);
  state("A new Python is starting.", false);
  python.replace();
}

// Another Python, between two programs; one that was asked for meanwhile runs there.
function again() {
  isWaiting ||= doing === "program";
  isReady = false;
  doing = null;
  python.replace();
}

const heard = {
  ready() {
    isReady = true;
    if (isWaiting) begin();
    else if (!$("status").textContent.startsWith("Done")) state("Ready.", false);
  },
  done({ seconds: time }) {
    const was = doing;
    doing = null;
    results.write();
    if (was === "program" && results.isEmpty()) results.note(SILENT);
    if (isWaiting) begin();
    else if (asked) answer();
    else if (was !== "program") state("Ready.", false);
    else state(`Done in ${seconds(time)}${isWrong ? ", with an error" : ""}.`, false);
  },
  stopped: () => results.note("Stopped."),
  crashed({ words, isIdle }) {
    if (isIdle) return again();
    if (!isReady) return state(`Python cannot start in this browser. ${words}`, false);
    const [, meaning] = CAUSES.find(([pattern]) => pattern.test(words))
      ?? [null, `Python broke down and was started anew. It said: ${words.slice(-300)}`];
    replace(`${meaning} ${KEPT}`);
  },
  error(error) {
    isWrong = true;
    asked = null;
    if (doing === "answer") results.endPads();
    if (editor.text() === ran) editor.mark(error);
    const source = error.line ? ran.split("\n")[error.line - 1] : undefined;
    results.show({ ...error, source }, () => {
      if (!editor.go({ ...error, source })) say("That line is not in the editor any more.");
    });
  },
};

function hear(message) {
  if (Object.hasOwn(heard, message?.kind)) heard[message.kind](message);
  else results.show(message, ask);
}

// --- sharing ----------------------------------------------------------------------------------

async function share() {
  try {
    const hash = await encoded(editor.text());
    $("link").value = location.href.split("#")[0] + hash;
    $("where").textContent = location.protocol === "file:"
      ? "It opens this file on this computer. For others, put the file on a website first."
      : "Whoever opens it sees this code; nothing runs before they press Run.";
    $("shared").showModal();
    $("link").select();
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    results.note(error.message);
  }
}

async function copy() {
  $("link").select();
  try {
    await navigator.clipboard.writeText($("link").value);
    $("copied").textContent = "Copied.";
  } catch {
    $("copied").textContent = "This browser does not let the page copy. The link is selected: "
      + "press Ctrl+C.";
  }
}

// --- the beginning ----------------------------------------------------------------------------

$("run").addEventListener("click", run);
$("stop").addEventListener("click", stop);
$("share").addEventListener("click", share);
$("copy").addEventListener("click", copy);
$("shared").addEventListener("close", () => { $("copied").textContent = ""; });
$("back").addEventListener("click", () => { showLast(); forgetLink(); });
drafts.onParted(list);
$("chooser").addEventListener("change", choose);
addEventListener("hashchange", follow);
addEventListener("beforeunload", (event) => { if (drafts.isAtRisk()) event.preventDefault(); });
addEventListener("keydown", (event) => {
  const isAsked = (event.ctrlKey || event.metaKey) && event.key === "Enter";
  if (isAsked && !event.defaultPrevented && !$("shared").open) run();
});

if (!(await follow())) (drafts.all().length ? showLast : () => showExample(0))();
python.open(hear).catch((error) => say(`Python cannot start in this browser: ${error.message}`));
