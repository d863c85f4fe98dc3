"use strict";

// What Python drew, taken apart: nodes with their numbers, edges, and boxes with a card to close.

const SVG = "http://www.w3.org/2000/svg";

function create(name, attributes = {}, parent = null, content = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = content;
  if (parent) parent.append(element);
  return element;
}

/** `shown` has the picture's node for each node, if the picture is too large to show them all. */
function makeParts(svg, steps, shown) {
  const groups = new Map([...svg.querySelectorAll("g[id]")].map((group) => [group.id, group]));
  const boxes = [...svg.querySelectorAll("g.box, g.summary")].map(makeBox);
  const boxOf = new Map(boxes.map((box) => [box.id, box]));
  for (const box of boxes) {
    box.parent = boxOf.get(box.group.dataset.parent || box.group.dataset.box);
    box.level = box.parent ? box.parent.level + 1 : 0; // parents come first
    if (box.parent && !box.whole) box.parent.holds = true;
  }
  const nodes = steps.nodes.map((node) => makeNode(node, `n${shown ? shown[node.id] : node.id}`, groups, boxOf));
  const edges = steps.edges.map((edge) => makeEdge(groups.get(shown ? null : `e${edge.id}`)));
  for (const { from, to } of steps.edges) {
    for (const box of nodes[from].around) if (!nodes[to].around.includes(box)) box.ends.add(from);
  }
  for (const box of boxes) box.parameters = box.members.filter((id) => steps.nodes[id].kind === "parameter");
  return { nodes, edges, boxes };
}

function makeBox(group) {
  const card = create("g", { class: "summary-of-box" });
  const room = CARD.width - 16;
  const bar = { x: 8, y: CARD.height - 6, height: 3, rx: 1.5 };
  const whole = group.classList.contains("summary"); // Python closed it, nothing here opens it
  const area = rectangle(group);
  create("rect", { ...CARD, class: "card", rx: 6 }, card);
  create("text", { class: "name", x: 8, y: 14 }, card, group.querySelector("text").textContent);
  const out = create("text", { class: "out", x: CARD.width - 8, y: 14 }, card);
  const line = create("text", { class: "share", x: 8, y: 27 }, card);
  create("rect", { ...bar, class: "trough", width: room }, card);
  const filled = create("rect", { ...bar, class: "fill", width: 0 }, card);
  group.append(card);
  if (!whole) group.setAttribute("tabindex", 0);
  group.setAttribute("role", whole ? "img" : "button");
  return {
    id: group.id, group, card, area, out, line, filled, room, whole,
    full: group.querySelector("title").textContent,
    place: area, closed: whole, hidden: false, holds: false, // holds other boxes
    members: [], // all nodes in it
    ends: new Set(), // those of them that others take
  };
}

function makeNode(node, id, groups, boxOf) {
  const hidden = boxOf.has(id); // in a summary: it has no card of its own
  const group = hidden ? create("g") : groups.get(id);
  const sign = hidden ? null : groups.get(id.replace("n", "o"));
  const card = hidden ? boxOf.get(id).area : rectangle(group);
  const around = hidden ? [boxOf.get(id)] : [];
  for (let box = boxOf.get(groups.get(id).dataset.box); box; box = box.parent) around.unshift(box);
  for (const box of around) box.members.push(node.id);
  if (!hidden) {
    if (node.check !== null) makeCheck(group, card, node.check);
  }
  return {
    group, sign, card, around,
    stem: sign?.previousElementSibling,
    area: sign ? union([card, rectangle(sign)]) : card,
    shift: [0, 0],
    tip: field(group.querySelector("title")),
    data: field(group.querySelector("text.data")),
    grad: field(group.querySelector("text.grad")),
    label: field(node.kind === "constant" && group.querySelector("text")),
  };
}

/** Its `points` are where the pieces of its curve end. */
function makeEdge(group = create("g")) {
  const path = group.querySelector("path") ?? create("path");
  const ends = (path.getAttribute("d") ?? "").matchAll(/([-\d.]+),([-\d.]+)(?=[A-Z]|$)/g);
  return {
    group,
    path,
    points: [...ends].map(([, x, y]) => [Number(x), Number(y)]),
    slope: field(group.querySelector(".partial")),
    tip: field(group.querySelector("title")),
  };
}

function makeCheck(group, card, agrees) {
  const [x, y] = [card.x + card.width, card.y];
  const d = agrees ? `M${x - 4} ${y}l3 3l5 -6` : `M${x - 3} ${y - 3}l6 6m0 -6l-6 6`;
  const check = create("g", { class: agrees ? "check" : "check wrong" }, group);
  create("circle", { cx: x, cy: y, r: 6.5 }, check);
  create("path", { d }, check);
  create("title", {}, check, `a finite difference ${agrees ? "agrees" : "disagrees"}`);
}

/** A text that changes only when it has to. */
function field(element) {
  let shown = element?.textContent;
  return (content) => {
    if (!element || content === shown) return;
    element.textContent = shown = content;
    element.removeAttribute("textLength"); // Python's, for a long number that stood here
  };
}

// ---- areas

const CONSTANT = { width: 48, height: 14 }; // as `_card_size` in svg.py: any number has room

function rectangle(group) {
  const rect = group.querySelector("rect");
  const of = (part, ...keys) => keys.map((key) => Number(part.getAttribute(key) || 0));
  if (rect) {
    const [x, y, width, height] = of(rect, "x", "y", "width", "height");
    return { x, y, width, height };
  }
  const [right, line] = of(group.querySelector("text"), "x", "y"); // it ends there
  return { ...CONSTANT, x: right + 2 - CONSTANT.width, y: line - 11 };
}

function holds({ x, y, width, height }, [u, v]) {
  return x <= u && u <= x + width && y <= v && v <= y + height;
}

function union(areas) {
  const x = Math.min(...areas.map((r) => r.x));
  const y = Math.min(...areas.map((r) => r.y));
  const right = Math.max(...areas.map((r) => r.x + r.width));
  const bottom = Math.max(...areas.map((r) => r.y + r.height));
  return { x, y, width: right - x, height: bottom - y };
}

function grown(area, around, above) {
  const { x, y, width, height } = area;
  return { x: x - around, y: y - above, width: width + 2 * around, height: height + around + above };
}

function translate(element, [x, y]) {
  element?.setAttribute("transform", `translate(${x} ${y})`);
}
