"use strict";

// The part of the picture that is in view.

// pixels to a unit of the picture, in which most text is 10 units high
const CLOSE = 1.42; // with less, the view comes so near to the current event and follows it
const CLOSE_BY = 1; // the same in a narrow frame, such as a phone's
const NARROW = 480;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** `look` is called to bring the current event into view. */
function makeView(frame, svg, look) {
  let whole = { x: 0, y: 0, width: 1, height: 1 };
  let area = whole;
  let room = { width: 0, height: 0 }; // for the picture
  let moving = 0;
  let following = false;
  let again = null; // what to do when the room changes, until somebody moves the picture

  const scaleOf = (found) => Math.min(room.width / found.width, room.height / found.height);
  const scale = () => scaleOf(area);
  const fitting = () => scaleOf(whole);
  const close = () => (room.width < NARROW ? CLOSE_BY : CLOSE);

  function set(next) {
    area = next;
    svg.setAttribute("viewBox", [next.x, next.y, next.width, next.height].map((n) => n.toFixed(2)).join(" "));
  }

  function jump(next) {
    cancelAnimationFrame(moving);
    set(next);
  }

  function glide(goal) {
    cancelAnimationFrame(moving);
    if (calm.matches) return set(goal);
    const [from, start] = [area, performance.now()];
    const move = (now) => {
      const t = Math.min(1, Math.max(0, (now - start) / 250));
      const ease = t * (2 - t);
      const mix = (key) => from[key] + (goal[key] - from[key]) * ease;
      set({ x: mix("x"), y: mix("y"), width: mix("width"), height: mix("height") });
      if (t < 1) moving = requestAnimationFrame(move);
    };
    moving = requestAnimationFrame(move);
  }

  /** As much as there is room for at this scale, around a point. */
  function around(x, y, size) {
    const [width, height] = [room.width / size, room.height / size];
    return { x: x - width / 2, y: y - height / 2, width, height };
  }

  /** The same, moved so that it shows nothing beside the picture. */
  function kept(part) {
    const within = (start, length, from, all) =>
      length > all ? from + (all - length) / 2 : Math.min(Math.max(start, from), from + all - length);
    return {
      ...part,
      x: within(part.x, part.width, whole.x, whole.width),
      y: within(part.y, part.height, whole.y, whole.height),
    };
  }

  function fit() {
    if (!room.width) room = { width: svg.clientWidth, height: svg.clientHeight };
    again = fit;
    following = false;
    jump({ ...whole });
  }

  /** Everything; where that is too small to read, it comes near as soon as there is an event. */
  function home() {
    fit();
    again = home;
    following = room.width > 0 && fitting() < close();
    look();
  }

  /** Moves only when something of what an event is about is out of view, or too far away. */
  function follow(about, target) {
    const size = following ? close() : scale();
    if (!room.width || size <= fitting() * 1.05) return;
    const [width, height] = [room.width / size, room.height / size];
    const left = area.x + area.width / 2 - width / 2;
    const top = area.y + area.height / 2 - height / 2;
    const goal = about.width < width && about.height < height ? about : target;
    const inside =
      goal.x >= left && goal.x + goal.width <= left + width &&
      goal.y >= top && goal.y + goal.height <= top + height;
    if (!inside || Math.abs(size - scale()) > 1e-9) glide(kept(around(goal.x + goal.width / 2, goal.y + goal.height / 2, size)));
  }

  /** The point (x, y) of the window, or the middle, stays where it is. */
  function zoom(factor, x, y) {
    const size = Math.min(6, Math.max(fitting() * 0.7, scale() * factor));
    const box = svg.getBoundingClientRect();
    const [px, py] = x === undefined ? [0, 0] : [(x - box.left) / box.width - 0.5, (y - box.top) / box.height - 0.5];
    const wider = 1 / scale() - 1 / size;
    const middle = { x: area.x + area.width / 2, y: area.y + area.height / 2 };
    again = null;
    following = false;
    jump(around(middle.x + px * room.width * wider, middle.y + py * room.height * wider, size));
  }

  /** Moves the picture by so many pixels. */
  function pan(dx, dy) {
    again = null;
    jump({ ...area, x: area.x - dx / scale(), y: area.y - dy / scale() });
  }

  new ResizeObserver(([entry]) => {
    room = { width: entry.contentRect.width, height: entry.contentRect.height };
    if (again) again();
  }).observe(svg);

  const moved = listen(frame, svg, { zoom, pan });
  const setWhole = (found) => void (whole = found);
  return { setWhole, fit, home, follow, zoom, fitting, moved };
}

/** Wheel, mouse and fingers; returns whether the last press was a drag and no click. */
function listen(frame, svg, { zoom, pan }) {
  const fingers = new Map();
  let drag = 0; // pixels since the first finger came down
  const apart = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);

  frame.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX, event.clientY);
    },
    { passive: false },
  );
  svg.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    if (fingers.size === 1) drag = 0;
  });
  svg.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    fingers.set(event.pointerId, event);
    drag += apart(event, before);
    if (drag < 4) return;
    svg.setPointerCapture(event.pointerId);
    const share = other ? 2 : 1; // two fingers move the picture together
    pan((event.clientX - before.clientX) / share, (event.clientY - before.clientY) / share);
    if (!other) return;
    const [x, y] = [(event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2];
    zoom(apart(event, other) / Math.max(1, apart(before, other)), x, y);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    svg.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }
  return () => drag >= 4;
}
