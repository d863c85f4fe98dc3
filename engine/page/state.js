"use strict";

// What the numbers are after each event. Nothing here knows of the page.

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

/** A number of the JSON, where nan and inf are texts. */
function numeric(x) {
  return typeof x === "string" ? Number(x.replace("inf", "Infinity")) : x;
}

/** The text of a number, the same as in the picture that Python wrote. */
function text(x) {
  const value = numeric(x);
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "inf").replace("NaN", "nan");
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (size === 0 || (size >= 1e-4 && size < 1e5)) return sign + evenly(size, "toFixed", 4);
  return sign + evenly(size, "toExponential", 2).replace(/e([+-])(\d)$/, "e$10$2");
}

/** Ties go to the even digit as in Python; JavaScript alone rounds them up. */
function evenly(size, form, digits) {
  const rounded = size[form](digits);
  const [long, exponent = ""] = size[form](digits + 30).split("e");
  const cut = long.length - 30;
  const tie = /^50*$/.test(long.slice(cut));
  const odd = "13579".includes(long[cut - 1]);
  return tie && !odd ? long.slice(0, cut) + (exponent && `e${exponent}`) : rounded;
}

/** The numbers after the first `position` events. */
function stateAt(steps, position) {
  const computed = (node) => node.kind === "operation" || node.kind === "loss";
  const state = {
    data: steps.nodes.map((node) => (computed(node) ? null : node.data)),
    grad: steps.nodes.map(() => null),
    flow: steps.edges.map(() => null), // the contribution that came through each edge
  };
  for (const event of steps.events.slice(0, position)) apply(state, event);
  return state;
}

function apply(state, event) {
  if (event.kind === "seed") state.grad[event.node] = event.grad;
  else if (event.kind === "update") state.data[event.node] = event.after;
  else if (event.kind === "backward") {
    state.grad[event.to] = event.new;
    state.flow[event.edge] = event.contribution;
  } else if (event.kind === "leftover") state.grad[event.node] = event.new;
  else if (event.node !== undefined) state.data[event.node] = event.data;
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
    const [known, words] = [event.text.split(" "), texts[n].split(" ")];
    const same = known.length === words.length; // then words that are as in the first step are left out
    const text = same ? known.map((word, k) => words[k] || word).join(" ") : texts[n];
    return { ...event, ...numbers[event.kind]?.(event), text };
  });
  for (const node of nodes) if (node.grad !== null) node.grad = grad[node.id];
  return { nodes, edges, events };
}

/** For each node: after how many events its gradient is final, and how many came in. */
function arrivals(steps) {
  const found = steps.nodes.map(() => ({ last: Infinity, count: 0 }));
  let end = steps.events.length;
  steps.events.forEach((event, n) => {
    if (event.kind === "seed") found[event.node].last = n + 1;
    if (event.kind !== "backward") return;
    found[event.to].last = end = n + 1;
    found[event.to].count += 1;
  });
  for (const arrival of found) arrival.last = Math.min(arrival.last, end);
  return found;
}

/** The nodes and edges that an event is about. */
function subject(steps, event) {
  if (!event) return { nodes: [], edges: [], target: null };
  if (event.kind === "backward") {
    return { nodes: [event.from, event.to], edges: [event.edge], target: event.to };
  }
  if (event.node === undefined) return { nodes: [], edges: [], target: null };
  if (event.kind !== "forward" && event.kind !== "loss") {
    return { nodes: [event.node], edges: [], target: event.node };
  }
  const into = steps.edges.filter((edge) => edge.to === event.node);
  return {
    nodes: [...into.map((edge) => edge.from), event.node],
    edges: into.map((edge) => edge.id),
    target: event.node,
  };
}

/** The number that an event brings, which a learner can predict. */
function answer(event) {
  const key = { forward: "data", loss: "data", backward: "contribution", update: "after" };
  return event && event.kind in key ? numeric(event[key[event.kind]]) : null;
}

/** An event in words: what it computes, and the number after the last " = ". */
function words(event) {
  const cut = answer(event) === null ? -1 : event.text.lastIndexOf(" = ");
  return cut < 0 ? [event.text, ""] : [event.text.slice(0, cut), event.text.slice(cut)];
}
