// What the reader has typed: kept in this browser where it allows that, else as long as the page.

const KEY = "brickgrad-playground", MOST = 100;

let isKept = true;
let drafts = []; // { id, name, text }
drafts = read();
const mine = new Set(); // the ids of those that were typed here: others may be typed in other tabs
let known = texts(drafts); // by id, as this tab read or wrote them last
let told = () => {};

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

function texts(some) {
  return new Map(some.map(({ id, text }) => [id, text]));
}

// What is typed here, after what other tabs have stored meanwhile.
const joined = (stored) => [...stored.filter(({ id }) => !mine.has(id)),
  ...drafts.filter(({ id }) => mine.has(id))].slice(-MOST);

// Where another tab has changed the draft that is typed here, both are kept.
function part(stored) {
  for (const { id, name, text } of stored) {
    const draft = mine.has(id) && text !== known.get(id) && drafts.find((one) => one.id === id);
    if (!draft || draft.text === text) continue;
    mine.delete(id);
    draft.id = newId();
    draft.name = freeName(name, [...stored, ...drafts.filter((one) => one !== draft)]);
    mine.add(draft.id);
    told();
  }
}

const newId = () => `${Date.now()} ${Math.random()}`;

function freeName(from, taken) {
  const names = taken.map(({ name }) => name);
  let name = from;
  for (let n = 2; names.includes(name); n++) name = `${from} (${n})`;
  return name;
}

let later;
const writeSoon = () => { clearTimeout(later); later = setTimeout(write, 300); };
addEventListener("pagehide", () => { if (later) write(); });

function write() {
  clearTimeout(later);
  later = null;
  const stored = read();
  part(stored);
  drafts = joined(stored);
  known = texts(drafts);
  try {
    localStorage.setItem(KEY, JSON.stringify(drafts));
    isKept = true;
  } catch {
    isKept = false; // no room, or not allowed
  }
}

export const all = () => drafts;

// Who is to know when a draft got another name.
export const onParted = (heard) => { told = heard; };

// Whether closing the page would lose what was typed.
export const isAtRisk = () => !isKept && drafts.length > 0;

// A new draft, named after what was changed.
export function begun(from, text) {
  const draft = { id: newId(), name: freeName(from, joined(read())), text };
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
