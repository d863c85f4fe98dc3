"use strict";

// Walks down the mean height of points, by the recorded PROGRAM. Nothing here knows of the page.

/** A function: the mean height of chosen points at a place, and its slope in each direction. */
function makeGround({ points, at }) {
  const values = PROGRAM.memory();
  const grads = new Float64Array(PROGRAM.size);
  const places = at.map((k) => (k === null ? null : PROGRAM.parameters + k)); // null: does not matter
  return (here, chosen) => {
    const slope = here.map(() => 0);
    let height = 0;
    places.forEach((place, k) => place === null || (values[place] = here[k]));
    for (const point of chosen) {
      values.set(points[point], PROGRAM.inputs);
      PROGRAM.forward(values);
      PROGRAM.backward(values, grads, [1]);
      height += values[PROGRAM.outputs[0]] / chosen.length;
      places.forEach((place, k) => (slope[k] += place === null ? 0 : grads[place] / chosen.length));
    }
    return { height, slope };
  };
}

/** A walker at the start, who has looked at no point yet. */
function makeWalker(ground, { start, points }) {
  const walker = { here: start, steps: 0, looked: 0, next: 0, path: [start], heights: [] };
  walker.heights.push([0, meanHeight(ground, points, start)]);
  return walker;
}

function meanHeight(ground, points, here) {
  return ground(here, [...points.keys()]).height;
}

/** The points that a walker looks at next: the order begins again where it ends. */
function chosenBy(walker, { order }, batch) {
  return Array.from({ length: batch }, (_, k) => order[(walker.next + k) % order.length]);
}

/** Where a step leads, and the slope that it goes against. */
function ahead(ground, walker, content, batch, rate) {
  const { slope } = ground(walker.here, chosenBy(walker, content, batch));
  return { slope, place: walker.here.map((x, k) => x - rate * slope[k]) };
}

/** Takes a step; false where a number would not be finite: then the walker stays. */
function stepped(ground, walker, content, batch, rate) {
  const { place } = ahead(ground, walker, content, batch, rate);
  const height = meanHeight(ground, content.points, place);
  if (![...place, height].every(Number.isFinite)) return false;
  walker.here = place;
  walker.steps += 1;
  walker.looked += batch;
  walker.next = (walker.next + batch) % content.order.length;
  walker.path.push(place);
  walker.heights.push([walker.looked, height]);
  return true;
}

/** Whose turn it is: that of the first among those who have looked at the fewest points. */
function turn(walkers) {
  return walkers.reduce((best, walker, k) => (walker.looked < walkers[best].looked ? k : best), 0);
}
