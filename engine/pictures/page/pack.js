"use strict";

// Where things stand when some boxes are closed: the columns of the whole picture, moved together.

const CARD = { width: 150, height: 38 }; // of a closed box
const COLUMNS_APART = 64;
const ROWS_APART = 8;
const GROUPS_APART = 36;
const TALL = 8; // loose numbers in one column; more stand side by side
const SIDE_BY_SIDE = 10;

/**
 * New places for things, which have an `area` in the whole picture, a `size`, and a `group`, the
 * box around them. Left and right, above and below stay as they were.
 */
function pack(things) {
  const places = new Map();
  let x = 0;
  for (const { column, apart } of columnsOf(things).flatMap(folded)) {
    const width = Math.max(...column.map((thing) => thing.size.width));
    for (const [thing, y] of stacked(column)) {
      places.set(thing, { ...thing.size, x: x + (width - thing.size.width) / 2, y });
    }
    x += width + apart;
  }
  return places;
}

/** Things whose areas stand one below the other share a column. */
function columnsOf(things) {
  const columns = [];
  let right = -Infinity;
  for (const thing of things.toSorted((a, b) => a.area.x - b.area.x)) {
    if (thing.area.x >= right) columns.push([]);
    columns.at(-1).push(thing);
    right = Math.max(columns.at(-1).length > 1 ? right : -Infinity, thing.area.x + thing.area.width);
  }
  return columns.map((column) => column.toSorted((a, b) => middle(a.area) - middle(b.area)));
}

/** A tall column of loose numbers, such as many inputs, as some that are less tall. */
function folded(column) {
  const tall = column.length > TALL && column.every((thing) => !thing.group && !thing.thing.closed);
  const rows = tall ? Math.ceil(column.length / Math.ceil(column.length / TALL)) : column.length;
  const parts = [];
  for (let n = 0; n < column.length; n += rows) parts.push(column.slice(n, n + rows));
  const apart = (n) => (n < parts.length - 1 ? SIDE_BY_SIDE : COLUMNS_APART);
  return parts.map((part, n) => ({ column: part, apart: apart(n) }));
}

/** The things of a column with their new tops, around a middle line at 0. */
function stacked(column) {
  let y = 0;
  const tops = column.map((thing, n) => {
    if (n > 0) y += thing.group === column[n - 1].group ? ROWS_APART : GROUPS_APART;
    const top = y;
    y += thing.size.height;
    return [thing, top];
  });
  return tops.map(([thing, top]) => [thing, top - y / 2]);
}

function middle(area) {
  return area.y + area.height / 2;
}
