"use strict";

// What a reader is told: events in words and numbers.

const PHASES = {
  zero: "Zero grad",
  forward: "Forward",
  loss: "Loss",
  seed: "Backward",
  backward: "Backward",
  leftover: "Left over",
  update: "Update",
  "forward again": "Forward again",
  done: "Done",
};

/** What a closed box calls its output: the name that a person gave it, such as a class. */
function outputName({ name }) {
  const counted = /^(?!output)[a-z_]+\d+$/.test(name); // "tanh3" is no such name
  const end = name.startsWith("\u2068") ? "\u2069" : ""; // of one that runs from right to left
  return counted ? "data" : name.length > 11 ? `${name.slice(0, 10)}\u2026${end}` : name;
}

/** A count with its noun. */
function many(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The boxes where an event happens: "layer 0, neuron 2". */
function place(story, event) {
  const at = (id) => story.nodes[id].group.join(", ");
  if (event.kind === "backward") return [...new Set([at(event.from), at(event.to)])].filter(Boolean).join(" \u2192 ");
  return event.node === undefined ? "" : at(event.node);
}

/** The phase of an event, and where it happens: in which layer (depth 1), and neuron (2). */
function scene(story, event, depth) {
  const node = story.nodes[event?.to ?? event?.node];
  return [PHASES[event?.kind], ...(node?.group.slice(0, depth) ?? [])].join();
}

/** The number that an event brings, which a learner can predict. */
function answer(event) {
  const key = { forward: "data", backward: "contribution", update: "after" };
  return event && event.kind in key ? numeric(event[key[event.kind]]) : null;
}

/** An event in words: what it computes, and from " = " on the number that it brings. */
function words({ text, ...event }) {
  const number = answer(event);
  if (number === null) return [text, ""];
  const before = event.kind === "backward" ? ` * ${short(event.partial)}` : ""; // a sum may follow
  const at = text.lastIndexOf(`${before} = ${short(number)}`) + before.length;
  return [text.slice(0, at), text.slice(at)];
}

const LONG = 18; // letters; longer names are shortened in a formula

/** What finds the long names of a story in a text, or null. */
function longNames(nodes) {
  const names = [...new Set(nodes.map(({ name }) => name))].filter((name) => name.length > LONG);
  const longestFirst = names.sort((a, b) => b.length - a.length);
  return names.length ? new RegExp(longestFirst.map(literal).join("|"), "g") : null;
}

/** A text as a pattern that finds it. */
function literal(text) {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** A formula that can be read at a glance: long names cut, of a long sum only the first terms. */
function glance(story, event, text) {
  const shortOf = (name) => `${name.slice(0, 8)}\u2026${name.slice(-4)}`;
  const shorter = (part) => (story.long ? part.replace(story.long, shortOf) : part);
  const start = `${story.nodes[event.node]?.name} = `;
  const terms = text.startsWith(start) ? text.slice(start.length).split(" = ")[0].split(" + ") : [];
  if (terms.length <= TERMS + 1) return shorter(text);
  return shorter(`${start}${terms.slice(0, TERMS).join(" + ")} + ... (${terms.length} terms)`);
}

/** An event in full: its text, and the paths of the parameters that it is about. */
function inFull(story, event) {
  const about = subject(story, event).nodes.map((id) => story.nodes[id]);
  const paths = about.filter(({ kind, name, label }) => kind === "parameter" && name !== label);
  return [event.text, ...new Set(paths.map(({ name, label }) => `${name}: ${label}`))].join("\n");
}

// ---- an event as a row of tiles: [number, its name, "answer" where it is one], or a sign

const TERMS = 3; // of a long sum that have tiles of their own
const SIGNS = { "*": "\u00d7", "-": "\u2212", "/": "\u00f7" };

const TILES = {
  zero: () => [],
  forward: (e, story) => [...operation(e, story), "=", [e.data, story.nodes[e.node].label, "answer"]],
  loss: (e) => [[e.data, "loss", "answer"]],
  seed: (e) => [[e.grad, "gradient of the loss by itself"]],
  backward: (e, story) => {
    const chain = [
      [e.adjoint, "gradient from above"], "\u00d7", [e.partial, "local slope"], "=",
      [e.contribution, "contribution", "answer"],
    ];
    if (story.arrived[e.to].count < 2) return chain;
    const [old, part, now] = [e.old, e.contribution, e.new].map(numeric);
    const slack = 1e-9 * (Math.abs(old) + Math.abs(part));
    const lost = Math.abs(old + part - now) > slack;
    return [
      ...chain, "",
      [e.old, "so far"], lost ? "replaced by" : "+", [e.contribution, "contribution", "answer"],
      "=", [e.new, "gradient now", "answer"],
    ];
  },
  leftover: (e) => [
    [e.old, "still there"], "+", [e.contribution, "gradient of this step"],
    "=", [e.new, "gradient now", "answer"],
  ],
  update: (e) => [[e.before, "before"], "\u2192", [e.after, "after", "answer"]],
  "forward again": (e) => [[e.data, "value now"]],
  done: (e) =>
    (e.loss_after ?? null) === null ? [] : [[e.loss_before, "loss before"], "\u2192", [e.loss_after, "loss after"]],
};

/** The operands of an operation, with its sign between or before them. */
function operation(event, story) {
  const operands = story.into[event.node].map((edge) => story.nodes[story.edges[edge].from]);
  const { symbol } = story.nodes[event.node];
  const tiles = operands.map((node) => [node.data, node.kind === "constant" ? "constant" : node.name]);
  if (symbol === "dot") return joined(products(operands), "+");
  const sign = SIGNS[symbol] ?? symbol;
  return operands.length === 2 && !/^\w/.test(symbol) ? [tiles[0], sign, tiles[1]] : [sign, ...joined(tiles, ",")];
}

/** The terms of x1 * y1 + x2 * y2 + ... + bias. */
function products(operands) {
  const half = Math.floor(operands.length / 2);
  const bias = operands.slice(2 * half).map((node) => [node.data, node.name]);
  const pairs = operands.slice(0, half).map((x, n) => {
    const y = operands[half + n];
    return { value: numeric(x.data) * numeric(y.data), words: `${short(x.data)} \u00d7 ${short(y.data)}`,
      name: `${x.name} \u00d7 ${y.name}` };
  });
  const shown = pairs.length > TERMS + 1 ? TERMS : pairs.length;
  const rest = pairs.slice(shown);
  return [
    ...bias,
    ...pairs.slice(0, shown).map(({ words, name }) => [words, name]),
    ...(rest.length ? [[rest.reduce((sum, { value }) => sum + value, 0), `${rest.length} more products`]] : []),
  ];
}

function joined(tiles, sign) {
  return tiles.flatMap((tile, n) => (n > 0 ? [sign, tile] : [tile]));
}
