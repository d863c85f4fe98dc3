"use strict";

// The training run: the loss curve, the data, and the step that is open.

const PLOT = { left: 86, right: 10, top: 12, bottom: 22 }; // margins, for the numbers at the axes

const LOG_FROM = 20; // heights that differ by this factor are on a log axis, as in plot.py

/** Whether numbers are spread so widely that on a plain axis the small ones would be one line. */
function isWide(numbers) {
  const finite = numbers.filter(Number.isFinite);
  return Math.min(...finite) > 0 && Math.max(...finite) > LOG_FROM * Math.min(...finite);
}

/** A chart of points (x, y) with its axes; `written` is how x is said; returns where a point stands. */
function makeChart(parent, name, points, written = short, log = false) {
  const [width, height] = [300, 120];
  const svg = create("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name });
  const finite = points.filter((p) => p.every(Number.isFinite));
  const range = (k) => [Math.min(...finite.map((p) => p[k])), Math.max(...finite.map((p) => p[k]))];
  const side = ([low, high], from, to) => (v) => from + ((v - low) / (high - low || 1)) * (to - from);
  const [across, up] = [range(0), range(1)];
  const rise = log ? Math.log10 : (v) => v;
  const x = side(across, PLOT.left, width - PLOT.right);
  const climb = side(up.map(rise), height - PLOT.bottom, PLOT.top);
  const y = (v) => climb(rise(v));
  const say = (text, at, anchor) => create("text", { class: "axis", "text-anchor": anchor, ...at }, svg, text);
  create("path", { class: "axis", d: `M${PLOT.left - 4} ${PLOT.top}V${height - PLOT.bottom + 4}H${width - PLOT.right}` }, svg);
  if (finite.length) {
    for (let power = Math.ceil(rise(up[0])); log && power <= rise(up[1]); power++) {
      create("path", { class: "axis", d: `M${PLOT.left - 4} ${y(10 ** power)}h4` }, svg);
    }
    for (const v of new Set(up)) say(short(v), { x: PLOT.left - 8, y: y(v) + 4 }, "end");
    say(written(across[0]), { x: PLOT.left, y: height - 5 }, "start");
    if (across[1] > across[0]) say(written(across[1]), { x: width - PLOT.right, y: height - 5 }, "end");
  }
  const figure = html("figure");
  figure.append(svg, html("figcaption", "", name));
  parent.append(figure);
  return { svg, at: (p) => [x(p[0]), y(p[1])], finite };
}

function makeTimeline(section, content, open) {
  const { runs, data } = content;
  const charts = section.querySelector(".charts");
  const slider = section.querySelector("input");
  const [output, note] = [section.querySelector("output"), section.querySelector(".note")];
  section.hidden = false;

  const losses = runs.map((run) => [run.step, numeric(run.loss)]);
  const [first, last] = [losses[0], losses[losses.length - 1]].map(([, loss]) => short(loss));
  const log = isWide(losses.map(([, loss]) => loss));
  const words = `Loss of each step, at its own points${log ? " (log axis)" : ""}: first ${first}, last ${last}`;
  const curve = makeChart(charts, words, losses, (step) => `step ${step + 1}`, log);
  const line = curve.finite.map((p) => curve.at(p).map((n) => n.toFixed(1)).join(","));
  create("polyline", { class: "curve", points: line.join(" ") }, curve.svg);
  const mark = create("circle", { class: "mark", r: 5 }, curve.svg);
  curve.svg.addEventListener("click", (event) => {
    const box = curve.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 300;
    const away = losses.map((p) => Math.abs(curve.at(p)[0] - x));
    choose(away.indexOf(Math.min(...away)));
  });
  const dots = data ? makeDots(charts, data) : [];

  function choose(n) {
    const run = runs[n];
    slider.value = n;
    output.replaceChildren(`${run.step + 1} of ${runs.length}`, html("span", "spoiler", `, loss ${short(run.loss)}`));
    const shown = Number.isFinite(losses[n][1]);
    mark.classList.toggle("hidden", !shown);
    if (shown) {
      const [x, y] = curve.at(losses[n]);
      mark.setAttribute("cx", x);
      mark.setAttribute("cy", y);
    }
    dots.forEach((dot, k) => {
      dot.classList.toggle("drawn", k === run.point);
      dot.setAttribute("r", k === run.point ? 6.5 : 3);
    });
    const drawn = run.point === null || run.point === undefined ? "" : `Drawn: point ${run.point}. `;
    note.textContent = drawn + (run.steps ? "The picture shows this step." : "Only its loss was kept.");
    if (run.steps) open(unpacked(content, run));
  }

  slider.max = runs.length - 1;
  slider.addEventListener("input", () => choose(Number(slider.value)));
  return choose;
}

const KINDS = ["blue dots", "green rings", "red dots"]; // as the style has them

/** The data: points in the plane, or one input against the target. Signs tell classes apart. */
function makeDots(parent, data) {
  const plane = data.x[0].length > 1;
  const points = data.x.map((x, n) => (plane ? [x[0], x[1]] : [x[0], data.y[n]]).map(numeric));
  const kinds = [...new Set(data.y)].sort((a, b) => a - b);
  const isTold = kinds.length <= KINDS.length;
  const key = isTold ? kinds.map((y, k) => `${KINDS[k]} ${data.classes[y] ?? short(y)}, `).join("") : "";
  const chart = makeChart(parent, plane ? `Data: ${key}and the point drawn` : "Target by input", points);
  return points.map((point, n) => {
    const [cx, cy] = chart.at(point);
    const kind = isTold ? kinds.indexOf(data.y[n]) : 0;
    return create("circle", { class: `dot kind-${kind}`, cx, cy, r: 3 }, chart.svg);
  });
}
