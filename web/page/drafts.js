// What the reader has typed: kept in this browser where it allows that, else as long as the page.

const KEY = "brickgrad-playground", MOST = 10;

let isKept = true;
let drafts = []; // { id, name, text }
drafts = read();
const mine = new Set(); // the ids of those that were typed here: others may be typed in other tabs

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    const isDraft = (one) => typeof one?.name === "string" && typeof one?.text === "string";
    return (Array.isArray(found) ? found.filter(isDraft) : []).slice(-MOST)
      .map(({ id, name, text }) => ({ id: typeof id === "string" ? id : name, name, text }));
  } catch {
    isKept = false;
    return drafts;
  }
}

// What is typed here, after what other tabs have stored meanwhile.
const joined = () => [...read().filter(({ id }) => !mine.has(id)),
  ...drafts.filter(({ id }) => mine.has(id))].slice(-MOST);

let later;
const writeSoon = () => { clearTimeout(later); later = setTimeout(write, 300); };
addEventListener("pagehide", () => { if (later) write(); });

function write() {
  clearTimeout(later);
  later = null;
  drafts = joined();
  try {
    localStorage.setItem(KEY, JSON.stringify(drafts));
    isKept = true;
  } catch {
    isKept = false; // no room, or not allowed
  }
}

export const all = () => drafts;

// Whether closing the page would lose what was typed.
export const isAtRisk = () => !isKept && drafts.length > 0;

// A new draft, named after what was changed.
export function begun(from, text) {
  const names = joined().map((one) => one.name);
  let name = from;
  for (let n = 2; names.includes(name); n++) name = `${from} (${n})`;
  const draft = { id: `${Date.now()} ${Math.random()}`, name, text };
  mine.add(draft.id);
  drafts = [...drafts, draft].slice(-MOST);
  write();
  return draft;
}

export function changed(draft, text) {
  draft.text = text;
  mine.add(draft.id);
  drafts = [...drafts.filter(({ id }) => id !== draft.id), draft]; // the newest is the last
  writeSoon();
}
