"use strict";

// What the numbers are after each event. Nothing here knows of the page.

const computes = ({ node, data }) => [["data", node, data]];

// what an event changes: in which list, whose number, and the number
const CHANGES = {
  zero: () => [],
  forward: computes,
  loss: computes,
  seed: ({ node, grad }) => [["grad", node, grad]],
  backward: (e) => [["grad", e.to, e.new], ["flow", e.edge, e.contribution]],
  leftover: (e) => [["grad", e.node, e.new]],
  update: ({ node, after }) => [["data", node, after]],
  "forward again": computes,
  done: () => [],
};

/** Steps, and what is looked up in them at every moment. */
function makeStory(steps) {
  const into = steps.nodes.map(() => []); // the edges into each node, in the order of operands
  for (const edge of steps.edges) into[edge.to].push(edge.id);
  const flows = steps.edges.map(() => null); // what has come through each edge at the end
  const arrived = steps.nodes.map(() => ({ last: Infinity, count: 0 })); // gradients, and when the last
  let settled = steps.events.length; // after so many events every gradient is final
  steps.events.forEach((event, n) => {
    if (event.kind === "seed" || event.kind === "leftover") arrived[event.node].last = n + 1;
    if (event.kind !== "backward") return;
    flows[event.edge] = event.contribution;
    arrived[event.to].last = settled = n + 1;
    arrived[event.to].count += 1;
  });
  const updates = steps.events.findIndex((event) => event.kind === "update");
  const updated = updates < 0 ? Infinity : updates + 1; // after so many events some parameter is new
  const left = steps.nodes.map((_, id) => id).filter((id) => arrived[id].last > settled);
  for (const id of left) arrived[id].last = settled; // nothing comes to these
  return { ...steps, into, flows, arrived, settled, updated, left, long: longNames(steps.nodes) };
}

/**
 * The numbers at one moment: `data` and `grad` of each node, `flow` of each edge. `move` goes to the
 * moment after `position` events, and says which nodes and edges have another number there.
 */
function makeHistory(story) {
  const computed = (node) => node.kind === "operation" || node.kind === "loss";
  const state = {
    data: story.nodes.map((node) => (computed(node) ? null : node.data)),
    grad: story.nodes.map(() => null),
    flow: story.edges.map(() => null),
  };
  const past = []; // for each event that happened: what it changed, as it was before

  function move(position) {
    const changed = { nodes: new Set(), edges: new Set() };
    const write = ([list, id, value]) => {
      const before = state[list][id];
      state[list][id] = value;
      (list === "flow" ? changed.edges : changed.nodes).add(id);
      return [list, id, before];
    };
    while (past.length < position) {
      const event = story.events[past.length];
      past.push(CHANGES[event.kind](event).map(write));
    }
    while (past.length > position) past.pop().forEach(write);
    return changed;
  }

  return { state, move };
}

/** A step of a run: the first one with the numbers of this one. */
function unpacked(first, run) {
  const { data, partial, texts, ...packed } = run.steps;
  const nodes = first.nodes.map((node, n) => ({ ...node, data: data[n], ...packed.nodes[n] }));
  const edges = first.edges.map((edge, n) => ({ ...edge, partial: partial[n], ...packed.edges[n] }));
  const [contributions, afters, again] = ["contribution", "after", "again"].map((name) => packed[name].values());
  const grad = nodes.map(() => 0);
  const computed = ({ node }) => ({ data: nodes[node].data });
  const numbers = {
    forward: computed,
    loss: computed,
    seed: ({ node }) => ({ grad: (grad[node] = 1) }),
    backward: ({ from, to, edge }) => {
      const [adjoint, old, contribution] = [grad[from], grad[to], contributions.next().value];
      grad[to] = old + numeric(contribution);
      return { adjoint, partial: edges[edge].partial, contribution, old, new: grad[to] };
    },
    update: ({ node }) => ({ before: nodes[node].data, after: afters.next().value }),
    "forward again": () => ({ data: again.next().value }),
    done: () => ({ loss_before: run.loss, loss_after: run.loss_after }),
  };
  const events = first.events.map((event, n) => {
    const told = texts[n].replace(/\t(\d+)/g, (_, count) => " ".repeat(count - 1)); // words left out
    const [known, words] = [event.text.split(" "), told.split(" ")];
    const same = known.length === words.length; // then words that are as in the first step are left out
    const text = same ? known.map((word, k) => words[k] || word).join(" ") : told;
    return { ...event, ...numbers[event.kind]?.(event), text };
  });
  for (const node of nodes) if (node.grad !== null) node.grad = grad[node.id];
  return { nodes, edges, events };
}

/** The nodes and edges that an event is about. */
function subject(story, event) {
  if (event?.kind === "backward") {
    return { nodes: [event.from, event.to], edges: [event.edge], target: event.to };
  }
  if (event?.node === undefined) return { nodes: [], edges: [], target: null };
  const edges = event.kind === "forward" || event.kind === "loss" ? story.into[event.node] : [];
  const operands = edges.map((edge) => story.edges[edge].from);
  return { nodes: [...operands, event.node], edges, target: event.node };
}
