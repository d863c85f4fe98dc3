"use strict";

// Where things stand when some boxes are closed: the columns of the whole picture, moved together.

const CARD = { width: 190, height: 84 }; // of a closed box
const COLUMNS_APART = 90;
const ROWS_APART = 12;
const GROUPS_APART = 40;

/**
 * New places for things, which have an `area` in the whole picture, a `size`, and a `group`, the
 * box around them. Left and right, above and below stay as they were.
 */
function pack(things) {
  const places = new Map();
  let x = 0;
  for (const column of columnsOf(things)) {
    const width = Math.max(...column.map((thing) => thing.size.width));
    for (const [thing, y] of stacked(column)) {
      places.set(thing, { ...thing.size, x: x + (width - thing.size.width) / 2, y });
    }
    x += width + COLUMNS_APART;
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
  return columns;
}

/** The things of a column with their new tops, around a middle line at 0. */
function stacked(column) {
  const sorted = column.toSorted((a, b) => middle(a.area) - middle(b.area));
  let y = 0;
  const tops = sorted.map((thing, n) => {
    if (n > 0) y += thing.group === sorted[n - 1].group ? ROWS_APART : GROUPS_APART;
    const top = y;
    y += thing.size.height;
    return [thing, top];
  });
  return tops.map(([thing, top]) => [thing, top - y / 2]);
}

function middle(area) {
  return area.y + area.height / 2;
}
