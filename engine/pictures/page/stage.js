"use strict";

// One picture at one moment: its numbers, what is highlighted, and the boxes that are open.

const LARGE = 60; // more nodes than this do not open all at once
const LOW = 250; // pixels: so low a frame shows closed neurons first, or it would show a few cards
const LEGIBLE = 0.8; // pixels to a unit of the picture: with less, boxes are closed at the start

const ZERO = {
  dead: ["zero-dead", "0 dead"],
  "no path": ["zero-path", "0 no path"],
  constant: ["zero-constant", "0 constant"],
  "not computed": ["zero-later", "none"],
};
const LATER = ["zero-later", "not yet"];

// what a closed box says of an event inside it; the third item is the number
const NEWS = {
  forward: (e) => [e.node, " = ", e.data],
  backward: (e) => [e.to, ".grad = ", e.new],
  leftover: (e) => [e.node, ".grad = ", e.new],
  update: (e) => [e.node, " = ", e.after],
  "forward again": (e) => [e.node, " = ", e.data],
};

/** `shown` has the picture's node for each node, if the picture is too large to show them all. */
function makeStage(frame, steps, shown) {
  const svg = frame.querySelector("svg");
  const [, , width, bottom] = svg.getAttribute("viewBox").split(" ").map(Number);
  const legends = [...svg.querySelectorAll(".legend text")].map((words) => Number(words.getAttribute("y")) - 14);
  const height = Math.min(bottom, ...legends); // the page has a legend of its own
  const parts = makeParts(svg, steps, shown);
  const { nodes, edges, boxes } = parts;
  const plan = makePlan(svg, steps, parts, Boolean(shown), { x: 0, y: 0, width, height });
  const view = makeView(frame, svg, look);
  let story = steps;
  let history = makeHistory(story);
  let blame = false;
  let strongest = 1;
  let last = { position: 0, event: undefined, masked: false, ...subject(story) }; // what is shown now

  const note = html("p", "old", "Gradients, slopes and marks: before the update");
  frame.append(note);
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", `The graph: ${many(nodes.length, "number")}, ${many(edges.length, "arrow")}`);
  svg.querySelector("title").remove(); // as a tooltip it would cover the picture

  // ---- the numbers

  /** Shows the moment after `to` events; `masked` shows what the last of them is about, and no more. */
  function show(to, masked = false) {
    const event = story.events[to - 1];
    const position = masked ? to - 1 : to;
    const now = { position, event, masked, ...subject(story, event) };
    const changed = history.move(position);
    const settles = position < story.settled !== last.position < story.settled;
    for (const id of [...last.nodes, ...now.nodes, ...(settles ? story.left : [])]) changed.nodes.add(id);
    for (const id of changed.nodes) for (const edge of story.into[id]) changed.edges.add(edge);
    for (const edge of [...last.edges, ...now.edges]) changed.edges.add(edge);
    last = now;
    const old = position >= story.updated;
    svg.classList.toggle("outdated", old);
    note.hidden = !old;
    draw(changed.nodes, changed.edges);
    if (position === 0 && !masked) view.home();
    else look();
  }

  /** Brings what the current event is about into view. */
  function look() {
    if (last.nodes.length) view.follow(union(last.nodes.map(plan.placed)), plan.placed(last.target));
  }

  function draw(changedNodes, changedEdges) {
    const { event } = last;
    const [about, along] = [new Set(last.nodes), new Set(last.edges)];
    const wires = new Set();
    for (const id of changedNodes) drawNode(id, event, about);
    for (const n of changedEdges) {
      drawEdge(n, event, along);
      if (edges[n].wire) wires.add(edges[n].wire);
    }
    for (const wire of wires) drawWire(wire, along);
    drawBoxes(event, new Set(last.nodes.map(plan.unit)));
  }

  function drawAll() {
    draw(nodes.keys(), edges.keys());
  }

  function drawNode(id, event, about) {
    const [data, grad] = [history.state.data[id], history.state.grad[id]];
    const final = last.position >= story.arrived[id].last;
    const secret = last.masked && id === last.target ? event.kind : "";
    const node = nodes[id];
    const { zero, why, label } = story.nodes[id];
    const known = grad === null ? LATER : ["", number(grad)];
    const [look, word] = final && ZERO[zero] ? ZERO[zero] : known;
    node.data(secret && secret !== "backward" ? "?" : data === null ? "" : number(data));
    node.grad(secret === "backward" ? "?" : word);
    node.tip(final && why ? `${label}: ${why}` : label);
    dress(node, {
      pending: data === null,
      current: id === last.target,
      about: about.has(id),
      checked: final && story.nodes[id].check !== null,
      [look]: Boolean(look),
    });
  }

  function drawEdge(n, event, along) {
    const flow = history.state.flow[n];
    edges[n].tip(story.edges[n].partial_text);
    dress(edges[n], {
      pending: history.state.data[story.edges[n].to] === null,
      current: along.has(n),
      backward: along.has(n) && event.kind === "backward",
      carried: flow !== null,
      nothing: flow !== null && numeric(flow) === 0,
    });
    weigh(edges[n], blame && !edges[n].wire ? thickness(history.state.flow, [n]) : "");
  }

  function drawWire(wire, along) {
    const { data, flow } = history.state;
    weigh(wire, thickness(flow, wire.edges));
    wire.path.classList.toggle("current", wire.edges.some((n) => along.has(n)));
    wire.path.classList.toggle("pending", wire.edges.every((n) => data[story.edges[n].to] === null));
    const carried = wire.edges.some((n) => flow[n] !== null);
    wire.path.classList.toggle("carried", carried);
    wire.path.classList.toggle("nothing", carried && strength(flow, wire.edges) === 0);
  }

  function strength(flow, list) {
    return list.reduce((sum, n) => sum + Math.abs(numeric(flow[n] ?? 0)), 0);
  }

  function thickness(flow, list) {
    const share = Math.min(1, strength(flow, list) / strongest);
    return `${(1 + 8 * share).toFixed(2)}px`;
  }

  function findStrongest() {
    const wires = plan.wires().map((wire) => strength(story.flows, wire.edges));
    const loose = edges.map((edge, n) => (edge.wire ? 0 : strength(story.flows, [n])));
    strongest = Math.max(1e-300, ...[...wires, ...loose].filter(Number.isFinite));
  }

  function weigh(part, width) {
    if (part.width === width) return;
    part.path.style.strokeWidth = part.width = width;
  }

  /** Gives a part and its sign the classes that are wanted, and takes away those it had. */
  function dress(part, wanted) {
    const look = Object.keys(wanted).filter((name) => wanted[name]);
    const key = look.join(" ");
    if (key === part.look) return;
    for (const group of [part.group, part.sign]) {
      if (part.look) group?.classList.remove(...part.look.split(" "));
      group?.classList.add(...look);
    }
    part.look = key;
  }

  /** Closed boxes: their output, and what happens inside, or else their share of the blame. */
  function drawBoxes(event, about) {
    const size = (id) => Math.abs(numeric(history.state.grad[id] ?? 0));
    const sum = (ids) => ids.reduce((found, id) => found + size(id), 0);
    const outermost = boxes.filter((box) => !box.parent);
    const loose = story.nodes.filter(({ kind, id }) => kind === "parameter" && !nodes[id].around.length);
    const soFar = last.position < story.settled ? " so far" : "";
    const all = outermost.reduce((found, box) => found + sum(box.parameters), sum(loose.map(({ id }) => id)));
    for (const box of boxes) {
      const part = sum(box.parameters) / all;
      const reached = box.parameters.some((id) => history.state.grad[id] !== null);
      const blamed = reached && Number.isFinite(part) && all > 0;
      const share = blamed ? `${(100 * part).toFixed(1)} % of the blame${soFar}` : "";
      const [end, ...others] = box.ends;
      const data = others.length || end === undefined ? null : history.state.data[end];
      const inside = about.has(box) && nodes[last.target].around.includes(box);
      const news = inside && NEWS[event.kind] ? told(...NEWS[event.kind](event)) : "";
      const look = `${share} ${data} ${about.has(box)} ${news}`;
      if (box.look === look) continue;
      box.look = look;
      box.out.textContent = data === null ? "" : `${outputName(story.nodes[end])} ${number(data)}`;
      box.line.textContent = news || share;
      box.line.classList.toggle("news", Boolean(news));
      box.filled.setAttribute("width", blamed ? box.room * part : 0);
      box.group.classList.toggle("about", about.has(box));
      box.group.classList.toggle("target", inside);
      box.group.classList.toggle("blamed", blamed);
      box.group.setAttribute("aria-label", `${box.full}, ${share || "no blame yet"}`);
    }
  }

  function told(id, verb, value) {
    return `${story.nodes[id].name}${verb}${last.masked ? "?" : short(value)}`;
  }

  // ---- closing and opening

  function arrange() {
    view.setWhole(plan.arrange());
    findStrongest();
    drawAll();
  }

  function toggle(box) {
    box.closed = !box.closed;
    arrange();
    view.home();
  }

  /** Closes the boxes that lie `depth` boxes deep; "all" opens every box. */
  function detail(depth) {
    for (const box of boxes) box.closed = box.whole || box.level === Number(depth);
    arrange();
    view.home();
  }

  const inner = boxes.filter((box) => !box.whole);
  const depth = Math.max(-1, ...inner.map((box) => Math.min(box.level, 1)));
  for (const box of inner) {
    box.group.addEventListener("click", () => view.moved() || toggle(box));
    box.group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      toggle(box);
    });
  }

  /** As many details as can be read at once; the first choice where nothing can be, and room is. */
  function open() {
    const levels = [1, 0].filter((level) => level <= depth).map(String);
    const choices = nodes.length > LARGE && levels.length ? levels : ["all", ...levels];
    for (const choice of choices) {
      detail(choice);
      if (view.fitting() >= LEGIBLE) return choice;
    }
    const choice = svg.clientHeight < LOW && levels.length ? levels[0] : choices[0];
    if (choices.length > 1) detail(choice);
    return choice;
  }

  const opening = open();

  return {
    show,
    detail,
    opening,
    depth,
    view,
    /** Another step of a run: the same picture with other numbers. */
    load(other) {
      story = other;
      history = makeHistory(story);
      history.move(last.position);
      story.nodes.forEach((node, id) => nodes[id].label(node.label));
      story.edges.forEach((edge, n) => edge.partial !== null && edges[n].slope(short(edge.partial)));
      findStrongest();
      drawAll();
    },
    set blame(on) {
      blame = on;
      svg.classList.toggle("blame", on);
      drawAll();
    },
    /** Calls with the id of a node whose card was clicked. */
    onChoose(choose) {
      nodes.forEach((node, id) => node.group.addEventListener("click", () => view.moved() || choose(id)));
    },
    mark(id) {
      nodes[id].group.classList.add("first-difference");
      for (const box of nodes[id].around) box.group.classList.add("first-difference");
    },
  };
}
