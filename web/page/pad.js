// A square to draw in, by mouse, finger or keys: 8 x 8 numbers, laid out as the digits of nn are.

const SIDE = 256, CELLS = 8, FINE = 32; // pixels of the canvas; of the result; of what is counted
const STROKE = 34, LEAST = 80; // widths; how wide a drawing is taken to be at least
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function padOf(title, answer) {
  const pad = document.createElement("div");
  pad.className = "pad";
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `${title}: draw with mouse or finger; or with the keys: arrows `
    + "move, Space draws or ends drawing, Delete clears");
  const clear = Object.assign(document.createElement("button"), { type: "button" });
  clear.textContent = "Clear";
  const words = document.createElement("p");
  words.textContent = title;
  pad.append(words, canvas, clear);

  const pen = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(pen, { lineWidth: STROKE, lineCap: "round", lineJoin: "round" });
  let place = [SIDE / 2, SIDE / 2], isDown = false, isEmpty = true;

  const ink = (from, to) => {
    isEmpty = false;
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  };
  const colour = () => { pen.strokeStyle = getComputedStyle(canvas).color; };
  const tell = () => answer(isEmpty ? Array(CELLS * CELLS).fill(0) : pixels(canvas));
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * SIDE,
      (event.clientY - box.top) / box.height * SIDE];
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    colour();
    isDown = true;
    place = at(event);
    ink(place, place);
    tell();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!isDown || !event.buttons) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) ink(place, place = at(one));
    tell();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (isDown && canvas.hasPointerCapture(event.pointerId)) { // the way since the last move, too
      ink(place, place = at(event));
      tell();
    }
    isDown = false;
  });
  canvas.addEventListener("pointercancel", () => { isDown = false; });
  clear.addEventListener("click", () => {
    pen.clearRect(0, 0, SIDE, SIDE);
    isEmpty = true;
    tell();
  });

  // By keys a cross shows where the pen is.
  const cross = () => {
    pad.style.setProperty("--x", place[0] / SIDE);
    pad.style.setProperty("--y", place[1] / SIDE);
    pad.classList.toggle("drawing", isDown);
  };
  canvas.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step && ![" ", "Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    colour();
    if (step) {
      const next = place.map((n, k) => Math.min(Math.max(n + step[k] * SIDE / 16, 0), SIDE));
      if (isDown) ink(place, next);
      place = next;
      if (isDown) tell();
    } else if (event.key === " ") {
      isDown = !isDown;
      if (isDown) { ink(place, place); tell(); }
    } else clear.click();
    pad.classList.add("by-keys");
    cross();
  });
  canvas.addEventListener("blur", () => { isDown = false; pad.classList.remove("by-keys"); });
  return pad;
}

// As the digits were made: cut out, as high as the square, in 32 x 32 points of ink or none; each
// pixel says how many of 16 are ink.
function pixels(canvas) {
  const from = canvas.getContext("2d").getImageData(0, 0, SIDE, SIDE).data;
  let [left, top, right, bottom] = [SIDE, SIDE, 0, 0];
  for (let y = 0; y < SIDE; y++) for (let x = 0; x < SIDE; x++) {
    if (from[4 * (y * SIDE + x) + 3] < 128) continue;
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
  }
  const long = Math.max(right - left, bottom - top, LEAST);
  const [x0, y0] = [(left + right - long) / 2, (top + bottom - long) / 2];
  const found = Array(CELLS * CELLS).fill(0);
  for (let v = 0; v < FINE; v++) for (let u = 0; u < FINE; u++) {
    const x = Math.floor(x0 + (u + .5) / FINE * long), y = Math.floor(y0 + (v + .5) / FINE * long);
    const isInk = x >= 0 && y >= 0 && x < SIDE && y < SIDE && from[4 * (y * SIDE + x) + 3] >= 128;
    if (isInk) found[(v >> 2) * CELLS + (u >> 2)] += 1 / 16;
  }
  return found;
}
