// What a program printed and showed. Texts stay texts; pictures are images, in which no script
// runs; pages are frames that reach nothing else.
import { padOf } from "./pad.js";

const WIDE = 640; // pixels of a picture that has a line of its own
const LEGIBLE = 0.65; // of its size, to which it shrinks; from there on it scrolls, as in a notebook
const home = document.getElementById("results");
const slots = new Map(); // what is shown, by its number
const waiting = new Map(); // the newest look of each, for the next frame

const made = (name, className, text = "") => {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
};

const WORDS = "<style>:root{color-scheme:light dark;font:16px/1.45 system-ui,sans-serif}"
  + "body{margin:8px}table{border-collapse:collapse}td,th{padding:3px 10px}</style>";
const TELL = "<script>new ResizeObserver(() => parent.postMessage("
  + "{ height: document.documentElement.offsetHeight }, '*')).observe(document.documentElement)"
  + "</script>";

// The frames tell their heights; who tells is known by the window it comes from.
addEventListener("message", ({ source, data }) => {
  const frame = [...home.querySelectorAll("iframe")].find((one) => one.contentWindow === source);
  if (frame?.classList.contains("words") && Number.isFinite(data?.height))
    frame.style.height = `${Math.min(Math.max(data.height, 24), 4000)}px`;
});

function frame(className, html, title) {
  const element = made("iframe", className);
  element.setAttribute("sandbox", "allow-scripts");
  element.title = title;
  element.srcdoc = html;
  return element;
}

// HTML that is nothing but a frame with a page is that page.
function pageIn(html) {
  const found = new DOMParser().parseFromString(html, "text/html").querySelectorAll("iframe[srcdoc]");
  return found.length === 1 ? found[0] : null;
}

function image(type, content, told) {
  const element = made("img", "");
  element.alt = told;
  element.src = type === "image/png" ? `data:${type};base64,${content}`
    : URL.createObjectURL(new Blob([content], { type }));
  const free = () => URL.revokeObjectURL(element.src);
  element.addEventListener("load", free);
  element.addEventListener("error", free);
  return element;
}

const text = (_, content) => made("pre", "value", content);
const LOOKS = {
  "image/svg+xml": image,
  "image/png": image,
  "text/html"(_, html, told) {
    const inner = pageIn(html), title = told.split("\n")[0].slice(0, 200) || "what is shown";
    return inner ? frame("page", inner.srcdoc, inner.title || title)
      : frame("words", `<!doctype html><meta charset="utf-8">${WORDS}${html}${TELL}`, title);
  },
  "text/markdown": text,
  "text/plain": text,
};

function figure(slot) {
  const element = made("figure", "shown");
  element.append(made("div", "look"));
  if (home.requestFullscreen) {
    const large = made("button", "large", "\u2922");
    large.type = "button";
    large.title = "Full screen, and back";
    large.setAttribute("aria-label", large.title);
    large.addEventListener("click", () => (document.fullscreenElement
      ? document.exitFullscreen() : element.requestFullscreen()));
    element.append(large);
  }
  slots.set(slot, element);
  home.append(element);
  return element;
}
// A picture that changes is swapped when it can be painted: nothing flickers.
async function look(slot) {
  const message = waiting.get(slot);
  const element = slots.get(slot), isFirst = !element?.firstChild.childElementCount;
  waiting.delete(slot);
  if (!element || !message) return;
  const mime = Object.hasOwn(LOOKS, message.mime) ? message.mime : "text/plain";
  const fresh = LOOKS[mime](mime, message.content, message.told);
  if (fresh.decode) await fresh.decode().catch(() => {});
  const isWide = fresh.naturalWidth > WIDE;
  element.classList.toggle("wide", fresh.tagName !== "IMG" || isWide);
  element.firstChild.toggleAttribute("tabindex", isWide); // where it scrolls, also by keys
  if (isWide) element.firstChild.tabIndex = 0;
  fresh.style.setProperty("--least", `${Math.round(LEGIBLE * (fresh.naturalWidth ?? 0))}px`);
  element.classList.toggle("opens", fresh.matches("img, iframe.page"));
  const put = () => { element.firstChild.replaceChildren(fresh); return element; };
  if (isFirst) follow(put);
  else put();
}

// Who looks at the end goes on to see it, but for what is taller than the view: its top stays.
function follow(add) {
  const isAtEnd = home.scrollHeight - home.scrollTop - home.clientHeight < 40;
  const added = add();
  if (!isAtEnd) return;
  home.scrollTop = home.scrollHeight;
  const above = added ? home.getBoundingClientRect().top - added.getBoundingClientRect().top : 0;
  if (above > 0) home.scrollTop -= above + 12;
}

// Lines come by the thousand: they are put in together, a few times a second.
const lines = [];
let soon = 0;

export function write() {
  clearTimeout(soon);
  soon = 0;
  if (lines.length) follow(() => {
    for (const { stream, text } of lines.splice(0)) {
      let last = home.lastElementChild;
      if (!last?.matches(`pre.${stream}`)) home.append(last = made("pre", stream));
      last.append(text);
    }
  });
}

const shows = {
  text(message) {
    lines.push(message);
    soon ||= setTimeout(write, 40);
  },
  show(message) {
    const element = slots.get(message.slot);
    if (!element) figure(message.slot); // not seen before it has its look
    const isNew = !waiting.has(message.slot);
    waiting.set(message.slot, message);
    if (!element) look(message.slot);
    else if (isNew) requestAnimationFrame(() => look(message.slot));
  },
  pad({ slot, title }, ask) {
    follow(() => home.append(padOf(title, (numbers) => ask(slot, numbers))));
    figure(-slot); // for the answers
  },
  "left out"({ characters }) {
    const note = home.querySelector(".left-out") ?? made("p", "note left-out");
    follow(() => {
      note.textContent = `${characters.toLocaleString("en")} more characters were printed: `
        + "they are left out, so that this page stays quick.";
      home.append(note);
    });
  },
  error(error, go) {
    const box = made("section", "error");
    const where = error.line ? `Line ${error.line}` : "The program";
    const place = error.is_syntax && error.column ? `${where}, column ${error.column}` : where;
    box.setAttribute("role", "alert");
    box.append(made("h2", "", error.is_syntax
      ? `${place}: Python cannot read this` : `${place}: ${error.name}`));
    box.append(made("pre", "message", error.words));
    if (error.source !== undefined) box.append(made("pre", "source", error.source));
    if (error.plain) box.append(made("p", "", error.plain));
    if (error.line) {
      const button = made("button", "", `Go to line ${error.line}`);
      button.type = "button";
      button.addEventListener("click", go);
      box.append(button);
    }
    if (error.calls) {
      const details = made("details", "");
      details.append(made("summary", "", "All calls that led there"), made("pre", "", error.calls));
      box.append(details);
    }
    follow(() => home.append(box));
  },
};

// What came from the worker; `more` is what a pad asks, or where an error leads.
// A program can send what it likes: what is none of these is left out.
export function show(message, more) {
  if (!Object.hasOwn(shows, message?.kind)) return;
  if (message.kind !== "text") write();
  shows[message.kind](message, more);
}

export const isEmpty = () => !home.childElementCount;

export function note(words) {
  write();
  follow(() => home.append(made("p", "note", words)));
}

export function clear() {
  lines.length = 0;
  slots.clear();
  waiting.clear();
  home.replaceChildren();
  home.scrollTop = 0;
}

// The pads of a program that is gone answer no more.
export function endPads() {
  for (const pad of home.querySelectorAll(".pad")) pad.inert = true;
}
