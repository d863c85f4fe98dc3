"use strict";

// Shows the walks: reads the sliders, draws paths on the map and the heights below.

(() => {
  const of = (id) => document.getElementById(id);
  const content = JSON.parse(of("content").textContent);
  const ground = makeGround(content);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const AT_ONCE = calm ? 10 : 1; // steps between two pictures of Play
  const DOTS = 100; // of a path; one with more points is a line alone
  const LOG_FROM = 20; // a log axis for heights of which the largest is so many times the least
  const SHAPES = ["m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0", "m-7-7h14v14h-14z"];
  const DASHES = ["", "6 3"];
  const LOOKS = ["chart-1", "chart-2"];
  const [curveWide, curveHigh] = [500, 160];
  const isRace = content.walkers.length > 1;
  let walkers = [], timer = null, refused = false;

  const rate = () => content.rates[of("rate").value];
  const batchOf = (k) => content.walkers[k].batch || Number(of("batch").value);
  const nameOf = (k) => content.walkers[k].batch ? content.walkers[k].name : `batch of ${batchOf(k)}`;
  const counted = (n) => n.toLocaleString("en");
  const isOver = () => refused || walkers.every(({ looked }) => looked >= content.most);

  function element(name, attributes, text) {
    const isSvg = ["path", "svg"].includes(name);
    const made = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /** A place of the map in its units, kept near it: what is far out is out of sight. */
  function onMap(place) {
    return place.map((x, k) => {
      const [low, high] = content.ends[k];
      const share = Math.min(Math.max((x - low) / (high - low), -20), 20);
      return (content.frame[k] * (k ? 1 - share : share)).toFixed(1);
    }).join(" ");
  }

  function line(points, look) {
    const attributes = { class: `walk ${LOOKS[look]}`, d: `M${points.join("L")}` };
    if (DASHES[look]) attributes["stroke-dasharray"] = DASHES[look];
    return element("path", attributes);
  }

  function drawMap() {
    const drawn = walkers.flatMap(({ path, here }, k) => {
      const points = path.map(onMap);
      const dots = points.length > DOTS ? [] : points.map((point) => `M${point}h0`);
      return [
        line(points, k),
        element("path", { class: `walk dots ${LOOKS[k]}`, d: dots.join("") }),
        element("path", { class: `here ${LOOKS[k]}`, d: `M${onMap(here)}${SHAPES[k]}` }),
      ];
    });
    if (!isRace && !isOver()) {
      const [walker] = walkers;
      const { place } = ahead(ground, walker, content, batchOf(0), rate());
      drawn.unshift(element("path", { class: "walk ahead", d: `M${onMap(walker.here)}L${onMap(place)}` }));
    }
    of("walks").replaceChildren(...drawn);
    const [x, y] = onMap(walkers[0].here).split(" ");
    const near = document.querySelector("#near circle");
    near.setAttribute("cx", x);
    near.setAttribute("cy", y);
  }

  function drawCurve() {
    const all = walkers.flatMap(({ heights }) => heights.map(([, height]) => height));
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const isLog = low > 0 && high / low > LOG_FROM;
    const scale = isLog ? Math.log10 : (x) => x / 2; // half: the span of two large numbers is finite
    const span = scale(high) - scale(low) || 1;
    const looked = Math.max(...walkers.map((walker) => walker.looked));
    let far = 10 * batchOf(0);
    while (far < looked) far *= 2;
    of("curve").replaceChildren(...walkers.map(({ heights }, k) => line(heights.map(([x, height]) => {
      const up = high > low ? (scale(height) - scale(low)) / span : 0.5;
      return `${(x / far * curveWide).toFixed(1)} ${(curveHigh * (0.95 - 0.9 * up)).toFixed(1)}`;
    }), k)));
    of("high").textContent = high > low ? short(high) : "";
    of("low").textContent = short(low);
    of("far").textContent = `${counted(far)} ${isRace ? "points looked at" : "steps"}`;
    of("curve-name").textContent = `The ${content.height}${isRace ? " of all points" : ""}${isLog ? " (log axis)" : ""}`;
    of("curve").setAttribute("aria-label", `The ${content.height}, now ${
      walkers.map(({ heights }, k) => `${nameOf(k)}: ${short(heights.at(-1)[1])}`).join(", ")}`);
  }

  function tell() {
    const heads = ["", "steps", ...(isRace ? ["points looked at"] : content.names), content.height];
    of("heads").replaceChildren(...heads.map((text) => element(text ? "th" : "td", text ? { scope: "col" } : {}, text)));
    of("rows").replaceChildren(...walkers.map(({ here, steps, looked, heights }, k) => {
      const sample = element("svg", { class: "sample", viewBox: "0 0 26 12", "aria-hidden": "true" });
      sample.append(line(["0 6", "26 6"], k), element("path", {
        class: `here ${LOOKS[k]}`, d: `M13 6${SHAPES[k]}`, transform: "translate(5.2 2.4) scale(.6)",
      }));
      const name = element("th", { scope: "row" });
      name.append(sample, nameOf(k));
      const middle = isRace ? [counted(looked)] : here.map(short);
      const numbers = [counted(steps), ...middle, short(heights.at(-1)[1])];
      const row = element("tr", {});
      row.append(name, ...numbers.map((text) => element("td", {}, text)));
      return row;
    }));
    of("next").textContent = sentence();
  }

  function sentence() {
    if (refused) return "The next step would lead to a number that is not finite. Try a smaller learning rate, and Reset.";
    if (isOver()) return "This is the end of the walk. Reset to walk again.";
    const k = turn(walkers);
    if (isRace) {
      const many = batchOf(k) === 1 ? "1 point" : `${batchOf(k)} points`;
      return `Next: ${nameOf(k)}, a step that looks at ${many}.`;
    }
    const { slope, place } = ahead(ground, walkers[k], content, batchOf(k), rate());
    const enclosed = (x) => (x < 0 ? `(${short(x)})` : short(x));
    const moves = content.names.map((name, n) =>
      `${name} = ${short(walkers[k].here[n])} - ${rate()} * ${enclosed(slope[n])} = ${short(place[n])}`);
    return ["Next step:", ...moves].join("\n");
  }

  function show() {
    of("rate-said").textContent = rate();
    of("rate").setAttribute("aria-valuetext", rate());
    of("batch-said").textContent = of("batch").value;
    drawMap();
    drawCurve();
    tell();
    for (const id of ["step", "play"]) of(id).disabled = isOver();
  }

  function step(count) {
    for (let n = 0; n < count && !isOver(); n++) {
      const k = turn(walkers);
      refused = !stepped(ground, walkers[k], content, batchOf(k), rate());
    }
    if (isOver()) pause();
    show();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    of("play").textContent = "Play";
    of("next").setAttribute("aria-live", "polite");
  }

  function play() {
    timer = setInterval(() => step(AT_ONCE), content.pause * AT_ONCE);
    of("play").textContent = "Pause";
    of("next").setAttribute("aria-live", "off"); // else each step would be read aloud
    step(AT_ONCE);
  }

  function reset() {
    pause();
    refused = false;
    walkers = content.walkers.map(() => makeWalker(ground, content));
    show();
  }

  of("rate").max = content.rates.length - 1;
  of("rate").value = content.rate;
  if (content.slider) {
    of("batch").max = content.slider.most;
    of("batch").value = content.slider.at;
  }
  of("batch").parentElement.hidden = !content.slider;
  of("foggy").hidden = isRace;
  of("step").addEventListener("click", () => step(1));
  of("play").addEventListener("click", () => (timer === null ? play() : pause()));
  of("reset").addEventListener("click", reset);
  for (const id of ["rate", "batch"]) of(id).addEventListener("input", show);
  of("fog").addEventListener("change", () => {
    document.querySelector(".plane").classList.toggle("foggy", of("fog").checked);
  });
  reset();
})();
