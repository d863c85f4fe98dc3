"use strict";

// Where everything stands with some boxes closed, and the wires between closed boxes.

/** `whole` is the area of the picture as Python drew it. */
function makePlan(svg, story, parts, condensed, whole) {
  const { nodes, edges, boxes } = parts;
  const layer = create("g", { class: "wires" });
  let packed = false; // some box is closed
  let wires = [];
  ([...svg.querySelectorAll("g.box")].pop() ?? svg.querySelector("svg > rect")).after(layer);
  if (condensed) for (const group of svg.querySelectorAll("g.edge:not(.stem)")) hide(group, true);

  /** What stands for a node: the outermost closed box around it, or itself. */
  function unit(id) {
    return nodes[id].around.find((box) => box.closed) ?? nodes[id];
  }

  /** What keeps its inner places when boxes close: a closed box, an open neuron, a node. */
  function block(id) {
    return nodes[id].around.find((box) => box.closed || !box.holds) ?? nodes[id];
  }

  /** Where a thing stands now: a closed box, or a node, which may lie in an open neuron. */
  function seen(thing) {
    if (thing.closed) return thing.place;
    const [dx, dy] = thing.shift;
    return { ...thing.area, x: thing.area.x + dx, y: thing.area.y + dy };
  }

  function closeAndHide() {
    packed = boxes.some((box) => box.closed);
    svg.classList.toggle("packed", packed);
    for (const box of boxes) {
      box.hidden = Boolean(box.parent && (box.parent.closed || box.parent.hidden));
      hide(box.group, box.hidden);
      box.group.classList.toggle("closed", box.closed);
      if (!box.whole) box.group.setAttribute("aria-expanded", String(!box.closed));
    }
    nodes.forEach((node, id) => {
      for (const group of [node.group, node.sign, node.stem]) hide(group, unit(id) !== node);
    });
  }

  /** Moves everything to where it stands now; with all boxes open that is where Python put it. */
  function move() {
    const blocks = [...new Set(nodes.map((_, id) => block(id)))];
    const found = new Map(blocks.map((thing) => [thing, {
      area: thing.area,
      size: thing.closed ? CARD : { width: thing.area.width, height: thing.area.height },
      boxes: around(thing),
      closed: thing.closed,
    }]));
    const between = wires.map(({ from, to, ...wire }) => ({ ...wire, from: found.get(from), to: found.get(to) }));
    const things = packed ? [...found.values()] : []; // else each is where it was
    const { places, passes } = pack(things, packed ? between : []);
    for (const thing of blocks) {
      thing.place = places.get(found.get(thing)) ?? thing.area;
      if (thing.closed) translate(thing.card, [thing.place.x, thing.place.y]);
      else if (!thing.around) for (const part of [...thing.group.children].slice(0, 3)) translate(part, shiftOf(thing));
    }
    nodes.forEach((node, id) => {
      if (unit(id) !== node) return;
      node.shift = shiftOf(block(id));
      for (const part of [node.group, node.sign, node.stem]) translate(part, node.shift);
    });
    for (const box of boxes.filter((other) => other.holds && !other.closed).reverse()) surround(box);
    wires.forEach((wire, n) => wire.path.setAttribute("d", curve(pointsOf(wire, passes.get(between[n])))));
    const shown = [...blocks, ...boxes.filter((box) => !box.hidden)];
    return packed ? grown(union(shown.map((thing) => thing.place)), 12, 12) : whole;
  }

  function shiftOf(thing) {
    return [thing.place.x - thing.area.x, thing.place.y - thing.area.y];
  }

  /** The open boxes around a block, outermost first. */
  function around(thing) {
    if (thing.around) return thing.around;
    return thing.parent ? [...around(thing.parent), thing.parent] : [];
  }

  /** Draws the frame of an open box around what is in it. */
  function surround(box) {
    const open = boxes.filter((other) => other.parent === box && !other.closed);
    const inside = [...box.members.map((id) => seen(unit(id))), ...open.map((other) => other.place)];
    box.place = packed ? grown(union(inside), FRAME.around, FRAME.above) : box.area;
    for (const [key, value] of Object.entries(box.place)) box.group.querySelector("rect").setAttribute(key, value);
    const title = box.group.querySelector("text");
    title.setAttribute("x", box.place.x + 8);
    title.setAttribute("y", box.place.y + 14);
  }

  /** Edges to and from what moved become wires, those with the same ends one. */
  function gather() {
    const between = new Map(); // wires by their ends
    wires = [];
    story.edges.forEach(({ from, to }, n) => {
      const [start, end] = [unit(from), unit(to)];
      const moved = condensed || start.closed || end.closed || (packed && block(from) !== block(to));
      hide(edges[n].group, Boolean(moved));
      edges[n].wire = null;
      if (!moved || start === end) return;
      const ends = between.get(start) ?? new Map();
      between.set(start, ends);
      if (!ends.has(end)) {
        const wire = { start, end, from: block(from), to: block(to), path: create("path"), edges: [] };
        ends.set(end, wire);
        wires.push(Object.assign(wire, insides(wire, edges[n].points)));
      }
      edges[n].wire = ends.get(end);
      edges[n].wire.edges.push(n);
    });
    layer.replaceChildren(...wires.map((wire) => wire.path));
  }

  /**
   * The points that a wire has in open neurons, as Python drew it, and how high it was where it
   * came out of one, or into one, not at the side but in between: its `drop` and `rise`.
   */
  function insides({ start, end, from, to }, points) {
    const leaves = points.findIndex((point) => !holds(from.area, point));
    const enters = points.map((point) => !holds(to.area, point)).lastIndexOf(true);
    const [after, before] = [points[leaves], points[enters]];
    const [isOut, isIn] = [from !== start && leaves > 0, to !== end && points.length > 0];
    const drops = isOut && after[0] < from.area.x + from.area.width;
    const rises = isIn && before?.[0] > to.area.x;
    return {
      out: isOut ? points.slice(0, leaves) : [],
      into: isIn ? points.slice(enters + 1) : [],
      ...(drops ? { leave: after[0], drop: after[1] } : { drop: null }),
      ...(rises ? { arrive: before[0], rise: before[1] } : { rise: null }),
    };
  }

  /** The points of a wire: out of an open neuron, past the columns, and into one. */
  function pointsOf(wire, passed) {
    const [a, b] = [seen(wire.start), seen(wire.end)];
    const out = wire.out.length ? moved(wire.out, wire.from) : [[a.x + a.width, middle(a)]];
    const into = wire.into.length ? moved(wire.into, wire.to) : [[b.x, middle(b)]];
    const bends = passed.bends.map(([x, u, y]) => [[x, y], [u, y]]);
    if (wire.drop === null) out.push([passed.leave, out[out.length - 1][1]]);
    else bends[0][0][0] = wire.leave + shiftOf(wire.from)[0];
    if (wire.rise === null) into.unshift([passed.arrive, into[0][1]]);
    else bends[bends.length - 1][1][0] = wire.arrive + shiftOf(wire.to)[0];
    return [...out, ...bends.flat(), ...into];
  }

  function moved(points, neuron) {
    const [dx, dy] = shiftOf(neuron);
    return points.map(([x, y]) => [x + dx, y + dy]);
  }

  /** Straight along the columns, an S between them, as `_curve` in svg.py has them. */
  function curve(points) {
    const words = points.map(([u, v], n) => {
      const [x, y] = points[n - 1] ?? [];
      if (n === 0) return `M${u} ${v}`;
      if (Math.abs(y - v) < 0.05) return `L${u} ${v}`;
      if (x === u) { // it turns back: beside its start to the right, beside its end to the left
        const side = x + (n < points.length / 2 ? 12 : -12);
        return `C${side} ${y},${side} ${v},${u} ${v}`;
      }
      const half = (x + u) / 2;
      return `C${half} ${y},${half} ${v},${u} ${v}`;
    });
    return words.join("");
  }

  /** To be called when boxes opened or closed; returns the area of the whole. */
  function arrange() {
    closeAndHide();
    gather();
    const area = move();
    edges.forEach((edge, n) => edge.wire || translate(edge.group, nodes[story.edges[n].to].shift));
    return area;
  }

  return { arrange, unit, placed: (id) => seen(unit(id)), wires: () => wires };
}

function hide(group, on) {
  group?.classList.toggle("hidden", on);
}
