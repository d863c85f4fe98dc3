"use strict";

// The panels around the picture: the current event in large numbers, the transcript, the charts.

/** A copy of what a template holds. */
function copy(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

function html(name, className = "", content = "") {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = content;
  return element;
}

// ---- the current event

// a number with what it is called, or a sign between numbers; the third item marks the answer
const TILES = {
  zero: () => [],
  leftover: (e) => [
    [e.old, "still there"], "+", [e.contribution, "gradient of this step"],
    "=", [e.new, "gradient now", "answer"],
  ],
  forward: (e) => [[e.data, "value", "answer"]],
  loss: (e) => [[e.data, "loss", "answer"]],
  seed: (e) => [[e.grad, "gradient of the loss by itself"]],
  update: (e) => [[e.before, "before"], "\u2192", [e.after, "after", "answer"]],
  "forward again": (e) => [[e.data, "value now"]],
  done: (e) =>
    e.loss_before === undefined || e.loss_after === undefined || e.loss_after === null
      ? []
      : [[e.loss_before, "loss before"], "\u2192", [e.loss_after, "loss after"]],
  backward: (e, shared) => {
    const chain = [
      [e.adjoint, "gradient from above"], "\u00d7", [e.partial, "local slope"], "=",
      [e.contribution, "contribution", "answer"],
    ];
    if (!shared) return chain;
    const [old, part, now] = [e.old, e.contribution, e.new].map(numeric);
    const slack = 1e-9 * (Math.abs(old) + Math.abs(part));
    const lost = Math.abs(old + part - now) > slack;
    return [
      ...chain, "",
      [e.old, "so far"], lost ? "replaced by" : "+", [e.contribution, "contribution", "answer"],
      "=", [e.new, "gradient now", "answer"],
    ];
  },
};

/** The caption shows an event; `hidden` leaves out the number to predict. */
function makeCaption(pane) {
  const root = copy("caption");
  pane.prepend(root);
  const [phase, about] = root.querySelector(".phase").children;
  const tiles = root.querySelector(".tiles");
  const [line, form, verdict] = [".words", ".guess", ".verdict"].map((s) => root.querySelector(s));
  return {
    form,
    verdict,
    show(steps, position, hidden, arrived) {
      const event = steps.events[position - 1];
      phase.textContent = event ? PHASES[event.kind] : "Start";
      root.dataset.kind = event ? event.kind : "start";
      about.textContent = event ? place(steps, event) : "";
      const [computed, result] = event ? words(event) : ["Nothing is computed yet. Step forward.", ""];
      line.textContent = computed + (hidden ? " = ?" : result);
      const id = event?.kind === "backward" ? event.to : undefined;
      const shared = id !== undefined && arrived[id].count > 1;
      const list = event ? TILES[event.kind](event, shared) : [];
      tiles.replaceChildren(...list.map((tile) => makeTile(tile, hidden)));
      form.hidden = !hidden;
    },
  };
}

/** The boxes around the node of an event, such as "layer 0, neuron 2". */
function place(steps, event) {
  const id = event.kind === "backward" ? event.to : event.node;
  return id === undefined ? "" : (steps.nodes[id].group ?? []).join(", ");
}

function makeTile(tile, hidden) {
  if (typeof tile === "string") return html("span", tile ? "sign" : "gap", tile);
  const [value, name, asked] = tile;
  const box = html("div", asked ? "tile result" : "tile");
  box.append(html("b", "", hidden && asked ? "?" : text(value)), html("span", "", name));
  return box;
}

// ---- the transcript

function makeTranscript(list, go) {
  let items = [];
  let now = 0;
  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) go(items.indexOf(item) + 1);
  });
  return {
    load(steps, mistake) {
      const twins = new Map(mistake?.partners?.map((right, n) => [right, mistake.wrong.events[n]]));
      items = steps.events.map((event, n) => {
        const item = html("li", "future");
        const [computed, result] = words(event);
        item.append(html("span", "", computed), html("span", "result", result));
        const twin = twins.get(n);
        if (mistake && twin?.text !== event.text) {
          item.append(html("span", "wrong", twin ? twin.text : "nothing here"));
        }
        return item;
      });
      now = 0;
      list.replaceChildren(...items);
    },
    show(position, hidden) {
      const [low, high] = [Math.min(now, position), Math.max(now, position)];
      items[now - 1]?.removeAttribute("aria-current");
      items[now - 1]?.classList.remove("asked");
      for (let n = low; n < high; n++) items[n].classList.toggle("future", n >= position);
      now = position;
      const item = items[now - 1];
      if (!item) return void (list.scrollTop = 0);
      item.setAttribute("aria-current", "step");
      item.classList.toggle("asked", hidden);
      const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
      if (top < list.scrollTop || bottom > list.scrollTop + list.clientHeight) {
        list.scrollTop = top - list.clientHeight / 2;
      }
    },
  };
}

// ---- the training run

/** A chart of points (x, y) with a frame around; returns where a point stands. */
function makeChart(parent, name, points) {
  const [width, height, pad] = [300, 130, 12];
  const svg = create("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name });
  const finite = points.filter((p) => p.every(Number.isFinite));
  const side = (k, size) => {
    const all = finite.map((p) => p[k]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const span = high - low || 1;
    return (v) => pad + ((v - low) / span) * (size - 2 * pad);
  };
  const [x, y] = [side(0, width), side(1, height)];
  const figure = html("figure");
  figure.append(svg, html("figcaption", "", name));
  parent.append(figure);
  return { svg, at: (p) => [x(p[0]), height - y(p[1])], finite };
}

function makeTimeline(section, content, open) {
  const { runs, data } = content;
  const charts = section.querySelector(".charts");
  const slider = section.querySelector("input");
  const [output, note] = [section.querySelector("output"), section.querySelector(".note")];
  section.hidden = false;

  const losses = runs.map((run) => [run.step, numeric(run.loss)]);
  const curve = makeChart(charts, "Loss", losses);
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
    output.textContent = `${run.step}, loss ${text(run.loss)}`;
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

/** The data: points in the plane, or one input against the target. Signs tell classes apart. */
function makeDots(parent, data) {
  const plane = data.x[0].length > 1;
  const points = data.x.map((x, n) => (plane ? [x[0], x[1]] : [x[0], data.y[n]]).map(numeric));
  const chart = makeChart(parent, plane ? "Data, and the point drawn" : "Target by input", points);
  const kinds = [...new Set(data.y)].sort((a, b) => a - b);
  return points.map((point, n) => {
    const [cx, cy] = chart.at(point);
    const kind = kinds.length <= 3 ? kinds.indexOf(data.y[n]) : 0;
    return create("circle", { class: `dot kind-${kind}`, cx, cy, r: 3 }, chart.svg);
  });
}
