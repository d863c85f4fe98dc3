"use strict";

// Where everything stands with some boxes closed, and the wires between closed boxes.

/** `whole` is the area of the picture as Python drew it. */
function makePlan(svg, story, parts, condensed, whole) {
  const { nodes, edges, boxes } = parts;
  const layer = create("g", { class: "wires" });
  let packed = false; // some box is closed
  let wires = [];
  ([...svg.querySelectorAll("g.box")].at(-1) ?? svg.querySelector("svg > rect")).after(layer);
  if (condensed) for (const group of svg.querySelectorAll("g.edge:not(.stem)")) hide(group, true);

  /** What stands for a node: the outermost closed box around it, or itself. */
  function unit(id) {
    return nodes[id].around.find((box) => box.closed) ?? nodes[id];
  }

  /** What keeps its inner places when boxes close: a closed box, an open neuron, a node. */
  function block(id) {
    return nodes[id].around.find((box) => box.closed || !box.holds) ?? nodes[id];
  }

  function placed(id) {
    const thing = unit(id);
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
    const things = blocks.map((thing) => ({
      thing,
      area: thing.area,
      size: thing.closed ? CARD : { width: thing.area.width, height: thing.area.height },
      group: thing.around ? thing.around.at(-1) : thing.parent,
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
    const all = [...places.values(), ...boxes.filter((box) => !box.hidden).map((box) => box.place)];
    return packed ? grown(union(all), 12, 12) : whole;
  }

  /** Draws the frame of an open box around what is in it. */
  function surround(box) {
    const open = boxes.filter((other) => other.parent === box && !other.closed);
    const inside = [...box.members.map(placed), ...open.map((other) => other.place)];
    box.place = packed ? grown(union(inside), 10, 22) : box.area;
    for (const [key, value] of Object.entries(box.place)) box.group.querySelector("rect").setAttribute(key, value);
    const title = box.group.querySelector("text");
    title.setAttribute("x", box.place.x + 8);
    title.setAttribute("y", box.place.y + 14);
  }

  /** Edges to and from what moved are drawn anew, those with the same ends as one. */
  function rewire() {
    const between = new Map(); // wires by their ends
    story.edges.forEach(({ from, to }, n) => {
      const [start, end] = [unit(from), unit(to)];
      const moved = condensed || start.closed || end.closed || (packed && block(from) !== block(to));
      hide(edges[n].group, Boolean(moved));
      edges[n].wire = null;
      if (!moved) return translate(edges[n].group, nodes[to].shift);
      if (start === end) return;
      const ends = between.get(start) ?? new Map();
      if (!ends.has(end)) ends.set(end, { path: curve(placed(from), placed(to)), edges: [] });
      between.set(start, ends);
      edges[n].wire = ends.get(end);
      edges[n].wire.edges.push(n);
    });
    wires = [...between.values()].flatMap((ends) => [...ends.values()]);
    layer.replaceChildren(...wires.map((wire) => wire.path));
  }

  function curve(a, b) {
    const [x, y, u, v] = [a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2];
    const bow = Math.max(Math.abs(u - x) / 2, 20);
    return create("path", { d: `M${x} ${y}C${x + bow} ${y},${u - bow} ${v},${u} ${v}` });
  }

  /** To be called when boxes opened or closed; returns the area of the whole. */
  function arrange() {
    closeAndHide();
    const area = move();
    rewire();
    return area;
  }

  return { arrange, unit, placed, wires: () => wires };
}

function hide(group, on) {
  group?.classList.toggle("hidden", on);
}
