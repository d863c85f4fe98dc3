"use strict";

// Where things stand when some boxes are closed: in columns again, wires with room of their own.
// The rules are those of the whole picture, in layout.py: nothing overlaps, no wire meets a card.

const CARD = { width: 150, height: 38 }; // of a closed box
const FRAME = { around: 10, above: 22 }; // of an open one, around what is in it
const COLUMNS_APART = 64;
const ROWS_APART = 8;
const BEND = 4; // the room of a wire that passes a column
const TALL = 8; // loose numbers in one column; more stand side by side
const SIDE_BY_SIDE = 10;
const ROUNDS = 8; // of making wires straight

/**
 * New places for things, which have an `area` in the whole picture, a `size`, and the open `boxes`
 * around them, outermost first. A wire runs from a thing to a thing; those of one `start` share
 * their bends. One with a `drop` leaves its thing above or below, for the height it had there in
 * the whole picture; one with a `rise` enters so. Returns the place of each thing, and for each
 * wire where it leaves and arrives, and its bends: from x to x at a height.
 */
function pack(things, wires) {
  const spot = (thing) => ({ thing, ...thing.size, boxes: thing.boxes, ends: [], at: middle(thing.area) });
  const spotOf = new Map(things.map((thing) => [thing, spot(thing)]));
  const pairs = wires.map(({ from, to }) => [spotOf.get(from), spotOf.get(to)]);
  const columns = columnsOf([...spotOf.values()], pairs);
  const ranges = rangesOf(spotOf.values());
  const routes = new Map(wires.map((wire) => [wire, routeOf(wire, spotOf, columns, ranges)]));
  stack(columns, ordered(columns, ranges));
  const sides = [];
  let x = 0;
  for (const { spots, apart } of columns) {
    const width = Math.max(...spots.map((spot) => spot.width));
    sides.push([x, x + width]);
    x += width + apart;
  }
  const places = new Map(things.map((thing) => {
    const { column, width, height, y } = spotOf.get(thing);
    const [left, right] = sides[column];
    return [thing, { x: (left + right - width) / 2, y: y - height / 2, width, height }];
  }));
  const passes = new Map(wires.map((wire) => {
    const [tail, head] = [spotOf.get(wire.from), spotOf.get(wire.to)];
    const runsBack = tail.column >= head.column;
    const across = (column) => (runsBack ? [...sides[column]].reverse() : sides[column]);
    const bends = routes.get(wire).map(({ column, y }) => [...across(column), y]);
    return [wire, { leave: sides[tail.column][1], bends, arrive: sides[head.column][0] }];
  }));
  return { places, passes };
}

// ---- columns

/** A spot stands right of those it is computed from; one that is not, just before its first use. */
function columnsOf(spots, pairs) {
  const end = ({ thing }) => thing.area.x + thing.area.width;
  const order = [...spots].sort((a, b) => end(a) - end(b));
  const rank = new Map(order.map((spot, n) => [spot, n]));
  const tails = new Map(spots.map((spot) => [spot, []]));
  for (const [tail, head] of pairs) if (rank.get(tail) < rank.get(head)) tails.get(head).push(tail);
  for (const spot of order) {
    spot.column = 1 + Math.max(-1, ...tails.get(spot).map((tail) => tail.column));
  }
  const uses = new Map();
  for (const [head, all] of tails) {
    for (const tail of all) uses.set(tail, Math.min(uses.get(tail) ?? Infinity, head.column));
  }
  for (const [tail, use] of uses) if (!tails.get(tail).length) tail.column = use - 1;
  const sorted = [...spots].sort((a, b) => a.column - b.column || a.at - b.at);
  const columns = new Map(sorted.map(({ column }) => [column, []]));
  for (const spot of sorted) columns.get(spot.column).push(spot);
  const found = [...columns.values()].flatMap(folded);
  found.forEach(({ spots: own, fold }, column) => {
    own.forEach((spot, row) => Object.assign(spot, { column, row, fold }));
  });
  return found;
}

/** A tall column of loose numbers, such as many inputs, as some that are less tall. */
function folded(spots) {
  const loose = spots.every(({ boxes, thing }) => !boxes.length && !thing.closed);
  const tall = spots.length > TALL && loose;
  const rows = tall ? Math.ceil(spots.length / Math.ceil(spots.length / TALL)) : spots.length;
  const parts = [];
  for (let n = 0; n < spots.length; n += rows) parts.push(spots.slice(n, n + rows));
  const apart = (n) => (n < parts.length - 1 ? SIDE_BY_SIDE : COLUMNS_APART);
  const fold = tall ? spots : null;
  return parts.map((part, n) => ({ spots: part, apart: apart(n), fold, bends: new Map() }));
}

/** The first and the last column of each open box. */
function rangesOf(spots) {
  const ranges = new Map();
  for (const { boxes, column } of spots) {
    for (const box of boxes) {
      const [first, last] = ranges.get(box) ?? [column, column];
      ranges.set(box, [Math.min(first, column), Math.max(last, column)]);
    }
  }
  return ranges;
}

/** The bends of a wire, one in each column that it passes; they join the columns' spots. */
function routeOf(wire, spotOf, columns, ranges) {
  const [tail, head] = [spotOf.get(wire.from), spotOf.get(wire.to)];
  const [a, b] = [tail.column, head.column];
  const ahead = [a + (wire.drop === null), b - (wire.rise === null)];
  const [first, last] = a < b ? ahead : [b, a]; // back through the columns of both ends
  const passed = Array.from({ length: last - first + 1 }, (_, n) => (a < b ? first + n : last - n));
  const heightAt = (n) => tail.at + ((n - a) / (b - a || 1)) * (head.at - tail.at);
  const route = passed.map((n) => {
    const column = columns[n];
    const beside = column.fold && column.fold === tail.fold && n !== a; // one row has one lane
    const lane = beside ? tail.row : n === a || n === b ? wire : wire.start;
    if (!column.bends.has(lane)) {
      const row = column.spots.filter(({ thing }) => thing)[tail.row];
      const own = (n === a ? wire.drop : n === b ? wire.rise : null) ?? heightAt(n);
      const at = beside ? (row?.at ?? Infinity) : own;
      const boxes = inside(head.boxes, tail.boxes, ranges, n);
      const bend = { column: n, width: 0, height: BEND, boxes, ends: [], at };
      column.bends.set(lane, bend);
      column.spots.push(bend);
    }
    return column.bends.get(lane);
  });
  const chain = [tail, ...route, head];
  for (let n = 1; n < chain.length; n++) {
    const [before, after] = [chain[n - 1], chain[n]];
    before.ends.push(after);
    after.ends.push(before);
  }
  return route;
}

/** The boxes around a wire: the head's, or else the tail's, that reach the column. */
function inside(head, tail, ranges, column) {
  const reaching = [head, tail].map((boxes) =>
    boxes.filter((box) => ranges.get(box)[0] <= column && column <= ranges.get(box)[1]),
  );
  return reaching.find((boxes) => boxes.length) ?? [];
}

// ---- rows

/** Marks from top to bottom: spots, and the edges of open boxes, with the room that they keep. */
function ordered(columns, ranges) {
  const half = ROWS_APART / 2;
  const key = (boxes) => boxes.flatMap((box) => [middle(box.area), box.id]);
  const marks = columns.flatMap(({ spots }, column) =>
    spots.map((spot, n) => {
      const room = spot.height / 2 + half;
      const own = [...key(spot.boxes), spot.at, "", n];
      return { spot, key: own, first: column, last: column, above: room, below: room };
    }),
  );
  const all = columns.flatMap(({ spots }) => spots);
  const paths = all.flatMap(({ boxes }) => boxes.map((box, n) => [box, boxes.slice(0, n + 1)]));
  const pathOf = new Map(paths);
  for (const [box, [first, last]] of ranges) {
    const around = key(pathOf.get(box));
    marks.push(
      { key: [...around, -Infinity], first, last, above: half, below: FRAME.above - half },
      { key: [...around, Infinity], first, last, above: FRAME.around - half, below: half },
    );
  }
  return marks.sort((a, b) => {
    const n = a.key.findIndex((part, k) => part !== b.key[k]);
    return n < 0 ? 0 : a.key[n] < b.key[n] ? -1 : 1;
  });
}

/** Gives every spot its `y`: in this order, and so that wires run as straight as they can. */
function stack(columns, marks) {
  const lowest = new Map(); // in a column: a mark and the room below it
  const rules = marks.flatMap(({ first, last, above, below }, lower) => {
    const found = [];
    for (let column = first; column <= last; column++) {
      const [upper, room] = lowest.get(column) ?? [];
      if (upper !== undefined) found.push([upper, lower, room + above]);
      lowest.set(column, [lower, below]);
    }
    return found;
  });
  const backwards = [...rules].reverse();

  /** The mean of two solutions: everything pushed down, and everything pushed up. */
  function settle() {
    const down = marks.map(({ spot }) => spot?.y ?? -Infinity);
    const up = marks.map(({ spot }) => spot?.y ?? Infinity);
    for (const [upper, lower, apart] of rules) {
      down[lower] = Math.max(down[lower], down[upper] + apart);
    }
    for (const [upper, lower, apart] of backwards) {
      up[upper] = Math.min(up[upper], up[lower] - apart);
    }
    marks.forEach(({ spot }, n) => spot && (spot.y = (down[n] + up[n]) / 2));
  }

  for (const { spot } of marks) if (spot) spot.y = 0;
  settle();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { spots } of round % 2 ? columns : [...columns].reverse()) {
      for (const spot of spots) {
        const ends = spot.ends.length ? spot.ends : [spot];
        spot.y = ends.reduce((sum, { y }) => sum + y, 0) / ends.length;
      }
    }
    settle();
  }
}

function middle(area) {
  return area.y + area.height / 2;
}
