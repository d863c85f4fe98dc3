"use strict";

// Live numbers: a step computed again from leaves that a learner changed, with the rows that were
// recorded. Nothing here knows of the page.

/** The result of a row for its operands, and its slope for each of them. */
function applied({ many, value, slopes }, operands) {
  if (!many) {
    const [x, y] = operands;
    const z = value(x, y);
    return [z, slopes.map((slope) => slope(x, y, z))];
  }
  if (slopes.length === 1) {
    const z = value(operands);
    return [z, operands.map((x) => slopes[0](x, x, z))];
  }
  const half = Math.floor(operands.length / 2);
  const [xs, ys] = [operands.slice(0, half), operands.slice(half, 2 * half)];
  const bias = operands.slice(2 * half);
  const z = value(xs, ys, bias[0] ?? 0); // a bias of 0 is not recorded
  const of = (kind) => xs.map((x, n) => slopes[kind](x, ys[n], z));
  return [z, [...of(0), ...of(1), ...bias.map(() => slopes[2](0, 0, z))]];
}

/** Computes every operation from the leaves in `data`, and the slopes of all edges. */
function computeForward(story, rows, data) {
  const partial = story.edges.map(() => null);
  for (const { kind, node } of story.events) {
    if (kind !== "forward") continue;
    const into = story.into[node];
    const [z, slopes] = applied(ROWS[rows[node]], into.map((edge) => data[story.edges[edge].from]));
    data[node] = z;
    into.forEach((edge, n) => {
      if (story.edges[edge].partial !== null) partial[edge] = slopes[n]; // else from a constant
    });
  }
  return partial;
}

/** The numbers of a step with other leaves and another rate, as `unpacked` takes them. */
function recomputed(story, rows, leaves, rate) {
  const data = [...leaves];
  const partial = computeForward(story, rows, data);
  const grad = story.nodes.map(() => 0);
  grad[story.events.find(({ kind }) => kind === "seed").node] = 1;
  const of = (wanted) => story.events.filter(({ kind }) => kind === wanted);
  const backward = of("backward").map(({ from, to, edge }) => {
    const [adjoint, old] = [grad[from], grad[to]];
    const passes = ROWS[rows[from]].many && Number.isFinite(data[from]); // a zero, as `passes_zero`
    const contribution = adjoint === 0 && passes ? 0 : adjoint * partial[edge];
    grad[to] += contribution;
    return { adjoint, partial: partial[edge], old, contribution };
  });
  const updated = of("update");
  const moved = updated.map(({ node }) => data[node] - rate * grad[node]);
  const refused = !moved.every(Number.isFinite); // as by every optimiser
  const after = refused ? updated.map(({ node }) => data[node]) : moved;
  const again = [...leaves];
  updated.forEach(({ node }, n) => (again[node] = after[n]));
  computeForward(story, rows, again);
  const root = story.nodes.length - 1;
  const losses = { loss: data[root], loss_after: again[root] };
  return { data, partial, grad, backward, updated, after, again, rate, refused, ...losses };
}

/** A step of a run, for `unpacked`: the numbers, and each event told with them. */
function packedAgain(story, numbers) {
  const { data, partial, grad, backward, after, again } = numbers;
  const shares = backward.values();
  const news = after.values();
  const tell = {
    forward: ({ node, text }) => computation(story, node, data, text),
    loss: ({ text }) => `${beforeLast(text, " = ")} = ${short(numbers.loss)}`,
    backward: (event) => chain(event, shares.next().value),
    update: ({ node }) => update(story.nodes[node].name, node, numbers, news.next().value),
    "forward again": ({ node, text }) => computation(story, node, again, text),
    done: () => `done: the loss went from ${short(numbers.loss)} to ${short(numbers.loss_after)}`,
  };
  const nodes = story.nodes.map(({ kind, zero, why }, id) => {
    const stays = kind === "constant" || zero === "no path";
    const dead = !stays && grad[id] === 0;
    if (stays) return { check: null, zero, why };
    return { check: null, zero: dead ? "dead" : null, why: dead ? "a slope on its way is 0" : "" };
  });
  const steps = {
    data, partial, contribution: backward.map((share) => share.contribution), after,
    again: story.events.flatMap(({ kind, node }) => (kind === "forward again" ? [again[node]] : [])),
    nodes, edges: {}, texts: story.events.map((event) => tell[event.kind]?.(event) ?? event.text),
  };
  return { steps, loss: numbers.loss, loss_after: numbers.loss_after };
}

function beforeLast(text, part) {
  return text.slice(0, text.lastIndexOf(part));
}

/** "dot1 = b + w0 * x0 = 0.1 + 0.5 * 2 = 1.1": the names as they were told, then their numbers. */
function computation(story, node, data, text) {
  const { name, symbol } = story.nodes[node];
  const isFormula = text.startsWith(`${name} = `); // else it is of the loss alone
  if (!isFormula) return `${beforeLast(text, " = ")} = ${short(data[node])}`;
  const parts = text.slice(name.length + 3).split(" = ");
  const [formula] = parts;
  const operands = story.into[node].map((edge) => story.edges[edge].from);
  const changing = operands.filter((id) => story.nodes[id].kind !== "constant");
  const enclosed = (x) => (symbol === "**" && x.startsWith("-") ? `(${x})` : x);
  const numbers = new Map(changing.map((id) => [story.nodes[id].name, enclosed(short(data[id]))]));
  const longestFirst = [...numbers.keys()].sort((a, b) => b.length - a.length).map(literal);
  const names = new RegExp(`(^|[^\\w.])(${longestFirst.join("|")})(?![\\w.(])`, "g");
  const filled = formula.replace(names, (_, before, name) => before + numbers.get(name));
  const told = symbol.startsWith("pick ") ? parts.slice(0, -1) : new Set([formula, filled]);
  return [name, ...told, short(data[node])].join(" = ");
}

function chain({ text, ...event }, { adjoint, partial, contribution, old }) {
  const [names] = words({ ...event, text });
  const formula = beforeLast(names, ` = ${short(event.adjoint)} * `);
  const share = short(contribution);
  const told = `${formula} = ${short(adjoint)} * ${short(partial)} = ${share}`;
  const sum = `${short(old)} + ${share} = ${short(old + contribution)}`;
  return old === 0 ? told : `${told}; paths meet: ${sum}`;
}

function update(name, node, { data, grad, rate, refused }, after) {
  const step = `${short(data[node])} - ${short(rate)} * ${short(grad[node])}`;
  const told = refused ? `${name} stays, since a number would not be finite: ${name}` : `${name} = ${step}`;
  return `${told} = ${short(after)}`;
}
