"use strict";

// One picture: its numbers, what is highlighted, boxes that close, and the part that is in view.

const SVG = "http://www.w3.org/2000/svg";
const LARGE = 60; // more nodes than this open collapsed
const MANY = 12; // neurons in a layer: with more of them the layers open closed
const READABLE = 0.8; // pixels to a unit of the picture: below, the view follows the current event
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const ZERO = {
  dead: ["zero-dead", "0 dead"],
  "no path": ["zero-path", "0 no path"],
  constant: ["zero-constant", "0 constant"],
  "not computed": ["zero-later", "none"],
};
const LATER = ["zero-later", "not yet"];

function create(name, attributes = {}, parent = null, content = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = content;
  if (parent) parent.append(element);
  return element;
}

function rectangle(group) {
  const rect = group.querySelector("rect") || group.querySelector("text");
  const [x, y, width, height] = ["x", "y", "width", "height"].map((key) =>
    Number(rect.getAttribute(key) || 0),
  );
  return { x, y, width, height };
}

function union(areas) {
  const x = Math.min(...areas.map((r) => r.x));
  const y = Math.min(...areas.map((r) => r.y));
  const right = Math.max(...areas.map((r) => r.x + r.width));
  const bottom = Math.max(...areas.map((r) => r.y + r.height));
  return { x, y, width: right - x, height: bottom - y };
}

const ruler = document.createElement("canvas").getContext("2d");
ruler.font = "bold 10px Helvetica, Arial, sans-serif"; // that of a card, at its widest

function grown(area, around, above) {
  const { x, y, width, height } = area;
  return { x: x - around, y: y - above, width: width + 2 * around, height: height + around + above };
}

function translate(element, [x, y]) {
  element?.setAttribute("transform", `translate(${x} ${y})`);
}

/** A text of a card: changes only when it has to, and stays inside the card. */
function field(group, name, card) {
  const element = group.querySelector(`text.${name}`);
  if (!element) return { set() {} };
  const before = element.textContent.startsWith(`${name} `) ? `${name} ` : "";
  const room = card.width - (before ? 8 : 16 + ruler.measureText(name).width);
  let shown = element.textContent;
  return {
    set(content) {
      if (content === shown) return;
      element.textContent = before + content;
      if (ruler.measureText(before + content).width > room) element.setAttribute("textLength", room);
      else element.removeAttribute("textLength");
      element.setAttribute("lengthAdjust", "spacingAndGlyphs");
      shown = content;
    },
  };
}

/** `shown` has the picture's node for each node, if the picture is too large to show them all. */
function makeStage(frame, steps, shown) {
  const svg = frame.querySelector("svg");
  const parts = new Map([...svg.querySelectorAll("g[id]")].map((g) => [g.id, g]));
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const boxes = [...svg.querySelectorAll("g.box, g.summary")].map(makeBox);
  const boxOf = new Map(boxes.map((box) => [box.id, box]));
  for (const box of boxes) box.holds = boxes.some((other) => other.parent === box.id && !other.whole);
  const nodes = steps.nodes.map(makeNode);
  const edges = steps.edges.map(makeEdge);
  const wires = create("g", { class: "wires" });
  const ends = [...svg.querySelectorAll("g.box")].at(-1) || svg.querySelector("svg > rect");
  ends.after(wires);
  let arrived = arrivals(steps);
  let total = new Map(); // wires between closed boxes, by their ends
  let packed = false; // some box is closed
  let blame = false;
  let strongest = 1;
  let last = null; // what is shown now

  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", svg.querySelector("title").textContent);
  svg.querySelector("title").remove(); // as a tooltip it would cover the picture
  const view = makeView(frame, svg);

  function makeBox(group) {
    const area = rectangle(group);
    const card = create("g", { class: "summary-of-box" });
    const center = CARD.width / 2;
    const room = CARD.width - 40;
    create("rect", { ...CARD, class: "card", rx: 8 }, card);
    const titled = group.querySelector("text").textContent;
    create("text", { class: "name", x: center, y: 24, "font-size": 17 }, card, titled);
    const share = create("text", { class: "share", x: center, y: 44, "font-size": 14 }, card);
    const out = create("text", { class: "out", x: center, y: 61, "font-size": 12 }, card);
    const bar = { x: 20, y: 69, height: 6, rx: 3 };
    create("rect", { ...bar, class: "trough", width: room }, card);
    const filled = create("rect", { ...bar, class: "fill", width: 0 }, card);
    group.append(card);
    const whole = group.classList.contains("summary"); // Python closed it, nothing here opens it
    if (!whole) group.setAttribute("tabindex", 0);
    group.setAttribute("role", whole ? "img" : "button");
    return {
      id: group.id, group, card, area, share, out, filled, room, whole, place: area,
      parent: group.dataset.parent || group.dataset.box, closed: whole, members: [], ends: [],
      full: group.querySelector("title").textContent,
    };
  }

  function makeNode(node) {
    const id = `n${shown ? shown[node.id] : node.id}`;
    const hidden = boxOf.has(id); // in a summary: it has no card of its own
    const group = hidden ? create("g") : parts.get(id);
    const sign = hidden ? null : parts.get(id.replace("n", "o"));
    const card = hidden ? boxOf.get(id).area : rectangle(group);
    const around = hidden ? [boxOf.get(id)] : [];
    for (let box = parts.get(id).dataset.box; box; box = boxOf.get(box).parent) around.unshift(boxOf.get(box));
    if (!hidden) group.querySelector("title").textContent = node.label; // no numbers before their time
    for (const box of around) box.members.push(node.id);
    let check = null;
    if (node.check === true || node.check === false) {
      const [x, y] = [card.x + card.width, card.y];
      const d = node.check ? `M${x - 5} ${y}l4 4l7 -8` : `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`;
      check = create("g", { class: node.check ? "check" : "check wrong" }, group);
      create("circle", { cx: x, cy: y, r: 7.5 }, check);
      create("path", { d }, check);
      create("title", {}, check, `a finite difference ${node.check ? "agrees" : "disagrees"}`);
    }
    return {
      group, sign, check, around, card,
      stem: sign?.previousElementSibling,
      area: sign ? union([card, rectangle(sign)]) : card,
      shift: [0, 0],
      data: field(group, "data", card),
      grad: field(group, "grad", card),
      look: "",
    };
  }

  function makeEdge(edge) {
    const group = shown ? create("g") : parts.get(`e${edge.id}`);
    return { group, path: shown ? create("path") : group.querySelector("path") };
  }

  /** What stands for a node: the outermost closed box around it, or itself. */
  function unit(id) {
    return nodes[id].around.find((box) => box.closed) || nodes[id];
  }

  /** What keeps its inner places when boxes close: a closed box, an open neuron, a node. */
  function block(id) {
    return nodes[id].around.find((box) => box.closed || !box.holds) || nodes[id];
  }

  function placed(id) {
    const thing = unit(id);
    if (thing.closed) return thing.place;
    const [dx, dy] = thing.shift;
    return { ...thing.area, x: thing.area.x + dx, y: thing.area.y + dy };
  }

  function hideAndClose() {
    for (const box of boxes) {
      const parent = boxOf.get(box.parent);
      box.hidden = Boolean(parent && (parent.closed || parent.hidden));
      box.group.classList.toggle("hidden", box.hidden);
      box.group.classList.toggle("closed", box.closed);
      if (!box.whole) box.group.setAttribute("aria-expanded", String(!box.closed));
      box.ends = [];
    }
    nodes.forEach((node, id) => {
      const hidden = unit(id) !== node;
      for (const group of [node.group, node.sign, node.stem]) group?.classList.toggle("hidden", hidden);
    });
  }

  /** Moves everything to where it stands now; with all boxes open that is where Python put it. */
  function move() {
    packed = boxes.some((box) => box.closed);
    const blocks = [...new Set(nodes.map((_, id) => block(id)))];
    const things = blocks.map((thing) => ({
      thing,
      area: thing.area,
      size: thing.closed ? CARD : { width: thing.area.width, height: thing.area.height },
      group: thing.around ? thing.around.at(-1) : boxOf.get(thing.parent),
    }));
    const places = packed ? pack(things) : new Map(things.map((found) => [found, found.area]));
    const at = new Map([...places].map(([found, place]) => [found.thing, place]));
    const shift = (thing) => [at.get(thing).x - thing.area.x, at.get(thing).y - thing.area.y];
    for (const [thing, place] of at) {
      thing.place = place;
      if (thing.closed) translate(thing.card, [place.x, place.y]);
      else if (!thing.around) for (const part of [...thing.group.children].slice(0, 3)) translate(part, shift(thing));
    }
    nodes.forEach((node, id) => {
      if (unit(id) !== node) return;
      node.shift = shift(block(id));
      for (const part of [node.group, node.sign, node.stem]) translate(part, node.shift);
    });
    for (const box of boxes.filter((found) => found.holds && !found.closed).reverse()) surround(box);
    svg.classList.toggle("packed", packed);
    const all = union([...places.values(), ...boxes.filter((b) => !b.hidden).map((b) => b.place)]);
    view.setWhole(packed ? grown(all, 16, 16) : { x: 0, y: 0, width, height });
  }

  /** Draws the frame of an open box around what is in it. */
  function surround(box) {
    const inside = box.members.map((id) => placed(id)).concat(
      boxes.filter((other) => other.parent === box.id && !other.closed).map((other) => other.place),
    );
    box.place = packed ? grown(union(inside), 12, 24) : box.area;
    for (const [key, value] of Object.entries(box.place)) box.group.querySelector("rect").setAttribute(key, value);
    const title = box.group.querySelector("text");
    title.setAttribute("x", box.place.x + 8);
    title.setAttribute("y", box.place.y + 13);
  }

  function arrange() {
    hideAndClose();
    move();
    total = new Map();
    wires.replaceChildren();
    const ids = new Map([...boxes, ...nodes].map((thing, n) => [thing, n]));
    steps.edges.forEach((edge, n) => {
      const [from, to] = [unit(edge.from), unit(edge.to)];
      const apart = packed && block(edge.from) !== block(edge.to);
      const closed = shown || from.closed || to.closed || apart;
      if (!closed) translate(edges[n].group, nodes[edge.to].shift);
      edges[n].wire = null;
      edges[n].group.classList.toggle("hidden", Boolean(closed));
      for (const box of nodes[edge.from].around) {
        if (!nodes[edge.to].around.includes(box)) box.ends.push(edge.from);
      }
      if (!closed || from === to) return;
      const key = `${ids.get(from)} ${ids.get(to)}`;
      if (!total.has(key)) total.set(key, { path: wire(placed(edge.from), placed(edge.to)), edges: [] });
      total.get(key).edges.push(n);
      edges[n].wire = total.get(key);
    });
    const sums = [...total.values()].map((w) => w.edges);
    const loose = edges.flatMap((edge, n) => (edge.wire ? [] : [[n]]));
    const final = stateAt(steps, steps.events.length).flow;
    const sizes = [...sums, ...loose].map((list) => strength(final, list));
    strongest = Math.max(1e-300, ...sizes.filter(Number.isFinite));
    if (last) show(last.position, last.masked);
  }

  function wire(a, b) {
    const [x, y, u, v] = [a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2];
    const bow = Math.max(Math.abs(u - x) / 2, 20);
    return create("path", { d: `M${x} ${y}C${x + bow} ${y},${u - bow} ${v},${u} ${v}` }, wires);
  }

  function strength(flow, list) {
    return list.reduce((sum, n) => sum + Math.abs(numeric(flow[n] ?? 0)), 0);
  }

  function thickness(flow, list) {
    const share = Math.min(1, strength(flow, list) / strongest);
    return `${(0.8 + 9 * share).toFixed(2)}px`;
  }

  // ---- the numbers

  /** Shows the state after `position` events; `masked` hides the number of the last of them. */
  function show(position, masked = false) {
    const state = stateAt(steps, position);
    const event = steps.events[position - 1];
    const { nodes: about, edges: along, target } = subject(steps, event);
    nodes.forEach((node, id) => {
      const hide = masked && id === target;
      const onGrad = event?.kind === "backward";
      const { data, grad } = { data: state.data[id], grad: state.grad[id] };
      node.data.set(hide && !onGrad ? "?" : data === null ? "" : text(data));
      const [look, word] = zero(steps.nodes[id], grad, position >= arrived[id].last);
      node.grad.set(hide && onGrad ? "?" : word);
      classes(node, {
        pending: data === null,
        current: id === target,
        about: about.includes(id),
        checked: position >= arrived[id].last,
        [look]: Boolean(look),
      });
    });
    edges.forEach((edge, n) => {
      classes(edge, {
        pending: state.data[steps.edges[n].to] === null,
        current: along.includes(n),
        backward: event?.kind === "backward",
        carried: state.flow[n] !== null,
        nothing: state.flow[n] !== null && numeric(state.flow[n]) === 0,
      });
      weigh(edge, blame && !edge.wire ? thickness(state.flow, [n]) : "");
    });
    for (const found of total.values()) {
      weigh(found, thickness(state.flow, found.edges));
      found.path.classList.toggle("current", found.edges.some((n) => along.includes(n)));
      found.path.classList.toggle("nothing", strength(state.flow, found.edges) === 0);
    }
    showShares(state, about.map(unit));
    last = { position, masked };
    const areas = about.map(placed);
    if (areas.length) view.follow(union(areas), placed(target));
  }

  function zero(node, grad, final) {
    if (final && node.zero && ZERO[node.zero]) return ZERO[node.zero];
    return grad === null ? LATER : ["", text(grad)];
  }

  function classes(part, wanted) {
    const look = Object.keys(wanted).filter((name) => wanted[name]).join(" ");
    if (look === part.look) return;
    const old = part.look ? part.look.split(" ") : [];
    const now = look ? look.split(" ") : [];
    for (const group of [part.group, part.sign]) {
      group?.classList.remove(...old);
      group?.classList.add(...now);
    }
    part.look = look;
  }

  function weigh(part, width) {
    if (part.width === width) return;
    part.path.style.strokeWidth = part.width = width;
  }

  function showShares(state, units) {
    const size = (id) =>
      steps.nodes[id].kind === "parameter" ? Math.abs(numeric(state.grad[id] ?? 0)) : 0;
    const sum = (ids) => ids.reduce((found, id) => found + size(id), 0);
    const all = sum(steps.nodes.map((node) => node.id));
    for (const box of boxes) {
      const part = sum(box.members) / all;
      const blamed = Number.isFinite(part) && all > 0;
      const share = blamed ? `${(100 * part).toFixed(1)} % of the blame` : "no blame yet";
      const outs = [...new Set(box.ends)];
      const out = outs.length === 1 ? state.data[outs[0]] : null;
      const look = `${share} ${out} ${box.closed} ${units.includes(box)}`;
      if (box.look === look) continue;
      box.look = look;
      box.share.textContent = share;
      box.out.textContent = out === null ? "" : `data ${text(out)}`;
      box.filled.setAttribute("width", blamed ? box.room * part : 0);
      box.group.classList.toggle("about", units.includes(box));
      box.group.setAttribute("aria-label", `${box.full}, ${share}`);
    }
  }

  // ---- closing and opening

  function toggle(box) {
    box.closed = !box.closed;
    arrange();
    view.fit();
  }

  /** Closes the boxes that lie `depth` boxes deep; "all" opens every box. */
  function detail(depth) {
    const level = (box) => (box.parent ? 1 + level(boxOf.get(box.parent)) : 0);
    for (const box of boxes) box.closed = box.whole || level(box) === Number(depth);
    arrange();
    view.fit();
  }

  for (const box of boxes.filter((found) => !found.whole)) {
    box.group.addEventListener("click", () => view.moved() || toggle(box));
    box.group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      toggle(box);
    });
  }

  if (shown) for (const group of svg.querySelectorAll("g.edge:not(.stem)")) group.classList.add("hidden");
  const inner = boxes.filter((box) => !box.whole);
  const depth = Math.max(-1, ...inner.map((box) => (box.parent ? 1 : 0)));
  const crowded = nodes.length > LARGE && depth >= 0;
  const neurons = boxes.map((box) => boxes.filter((other) => other.parent === box.id).length);
  const fitting = Math.max(0, ...neurons) > MANY ? 0 : depth;
  const opening = crowded ? String(fitting) : "all";
  arrange();
  detail(opening);
  if (!crowded) view.auto();

  return {
    show,
    detail,
    opening,
    depth,
    view,
    load(other) {
      steps = other;
      arrived = arrivals(steps);
      arrange();
    },
    set blame(on) {
      blame = on;
      svg.classList.toggle("blame", on);
      show(last.position, last.masked);
    },
    mark(id) {
      nodes[id].group.classList.add("first-difference");
    },
  };
}

// ---- the part of the picture that is in view

function makeView(frame, svg) {
  let whole = { x: 0, y: 0, width: 1, height: 1 };
  let area = whole;
  let moving = 0;
  let drag = 0;
  let following = false;
  let again = null; // what to do when the frame changes its size, until somebody moves the picture
  const fingers = new Map();

  const scale = () => Math.min(frame.clientWidth / area.width, frame.clientHeight / area.height);
  const fitting = () => Math.min(frame.clientWidth / whole.width, frame.clientHeight / whole.height);

  function set(next) {
    area = next;
    svg.setAttribute("viewBox", [next.x, next.y, next.width, next.height].map((n) => n.toFixed(2)).join(" "));
  }

  function glide(goal) {
    again = null;
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

  /** As much as the frame holds at this scale, around a point. */
  function around(x, y, size) {
    const [w, h] = [frame.clientWidth / size, frame.clientHeight / size];
    return { x: x - w / 2, y: y - h / 2, width: w, height: h };
  }

  function fit() {
    again = fit;
    following = false;
    cancelAnimationFrame(moving);
    set({ ...whole });
  }

  /** Everything, if it can be read; else a part that follows the events. */
  function auto() {
    following = fitting() < READABLE * 0.7;
    again = auto;
    if (!following) return set({ ...whole });
    const view = around(0, whole.y + whole.height / 2, READABLE);
    set({ ...view, x: 0 });
  }

  function follow(about, target) {
    const size = scale();
    if (size <= fitting() * 1.05) return;
    const seen = { width: frame.clientWidth / size, height: frame.clientHeight / size };
    const left = area.x + area.width / 2 - seen.width / 2;
    const top = area.y + area.height / 2 - seen.height / 2;
    const goal = about.width < seen.width && about.height < seen.height ? about : target;
    const inside =
      goal.x >= left && goal.x + goal.width <= left + seen.width &&
      goal.y >= top && goal.y + goal.height <= top + seen.height;
    if (!inside) glide(around(goal.x + goal.width / 2, goal.y + goal.height / 2, size));
  }

  function zoom(factor, x, y) {
    const size = Math.min(6, Math.max(fitting() * 0.7, scale() * factor));
    const next = { width: frame.clientWidth / size, height: frame.clientHeight / size };
    const old = { width: frame.clientWidth / scale(), height: frame.clientHeight / scale() };
    const middle = { x: area.x + area.width / 2, y: area.y + area.height / 2 };
    // the point under the pointer, in parts of the frame, stays where it is
    const box = frame.getBoundingClientRect();
    const [px, py] = x === undefined ? [0, 0] : [(x - box.left) / box.width - 0.5, (y - box.top) / box.height - 0.5];
    again = null;
    cancelAnimationFrame(moving);
    set(around(middle.x + px * (old.width - next.width), middle.y + py * (old.height - next.height), size));
  }

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
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    drag += Math.hypot(dx, dy);
    if (drag < 4) return;
    again = null;
    svg.setPointerCapture(event.pointerId);
    const size = scale();
    const share = other ? 2 : 1; // two fingers move the picture together
    set({ ...area, x: area.x - dx / size / share, y: area.y - dy / size / share });
    if (!other) return;
    const apart = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
    const [x, y] = [(event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2];
    zoom(apart(event) / Math.max(1, apart(before)), x, y);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    svg.addEventListener(name, (event) => fingers.delete(event.pointerId));
  }
  new ResizeObserver(() => {
    if (again) again();
    else if (following) set(around(area.x + area.width / 2, area.y + area.height / 2, READABLE));
  }).observe(frame);

  const setWhole = (found) => void (whole = found);

  return { setWhole, fit, auto, follow, zoom, moved: () => drag >= 4 };
}
