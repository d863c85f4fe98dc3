"use strict";

// The page: time, its controls, and what they change.

{
  const content = JSON.parse(inflated(document.getElementById("steps").textContent));
  const { mistake } = content;
  const main = document.getElementById("panes");
  const by = (id) => document.getElementById(id);
  let position = 0;
  let phases = [];
  let predicting = false;
  let asking = false;
  let timer = 0;

  // ---- what the templates hold comes to life

  document.documentElement.classList.add("alive");
  document.documentElement.classList.toggle("with-run", Boolean(content.runs?.length));
  document.querySelector("header").append(copy("tools"));
  const template = main.querySelector(".pane");
  template.querySelector(".stage").innerHTML = content.picture;
  const panes = mistake
    ? [["Right", mistake.right], ["Wrong", mistake.wrong]].map(([name, steps]) => {
        const pane = template.cloneNode(true);
        pane.classList.add(name.toLowerCase());
        pane.setAttribute("aria-label", name);
        main.append(pane);
        return { name, pane, story: makeStory(steps) };
      })
    : [{ name: "", pane: template, story: makeStory(content) }];
  if (mistake) template.remove();
  main.after(copy("deck"), copy("side"));
  const said = html("p", "spoken");
  said.setAttribute("aria-live", "polite");
  main.append(said);

  const views = panes.map(({ name, pane, story }, n) => {
    const caption = makeCaption(pane);
    const heading = html("h2", "", name);
    if (name) pane.prepend(heading);
    const frame = pane.querySelector(".stage");
    const stage = makeStage(frame, story, content.shown);
    if (n > 0) for (const group of frame.querySelectorAll("[id]")) group.removeAttribute("id");
    const lens = copy("lens");
    const [out, fit, closer] = lens.children;
    out.addEventListener("click", () => stage.view.zoom(1 / 1.4));
    fit.addEventListener("click", () => stage.view.fit());
    closer.addEventListener("click", () => stage.view.zoom(1.4));
    frame.append(lens);
    return { name, heading, story, caption, stage };
  });
  const box = views[0].caption.form.querySelector("input"); // for a prediction
  const transcript = makeTranscript(document.querySelector(".lines"), go);
  let story = views[0].story; // whose events the slider and the transcript go through
  load(story);

  if (mistake) {
    const words = mistake.text ? `Mistake: ${mistake.name}. ${mistake.text}` : mistake.name;
    const lesson = html("section", "lesson");
    lesson.setAttribute("aria-label", "The mistake");
    lesson.append(html("p", "", words));
    main.before(lesson);
    by("predict").remove();
    const first = mistake.first_difference;
    if (first) {
      views.forEach(({ story: own, stage }, n) => {
        const { target } = subject(own, own.events[n === 0 ? first.right_event : first.event]);
        if (target !== null) stage.mark(target);
      });
      by("difference").hidden = false;
      by("difference").addEventListener("click", () => go(first.event + 1));
    }
  }

  const heading = document.querySelector("h1");
  const [, title, value, rest] = heading.textContent.match(/^(.*)( = \S+)(, [\d,]+ operations?)$/s) ?? [];
  if (value) heading.replaceChildren(title, html("span", "spoiler", value), rest);

  // ---- time

  function load(other) {
    story = views[0].story = other;
    transcript.load(story, mistake);
    by("time").max = length();
    makePhases();
  }

  function length() {
    return Math.max(...views.map((view) => view.story.events.length));
  }

  function makePhases() {
    phases = [];
    let phase;
    story.events.forEach((event, n) => {
      const name = PHASES[event.kind];
      if (phase?.name !== name) {
        phase = { name, start: n, count: 0, button: html("button", "", name) };
        phases.push(phase);
      }
      phase.count += 1;
    });
    for (const { name, start, button } of phases) {
      button.dataset.phase = name;
      button.addEventListener("click", () => go(start + 1));
    }
    const strip = phases.map(({ count }) => Object.assign(html("i"), { style: `flex-grow: ${count}` }));
    document.querySelector(".phases").replaceChildren(...phases.map(({ button }) => button));
    document.querySelector(".strip").replaceChildren(...strip);
  }

  /** Moves to the state after `to` events. */
  function go(to, ask = false) {
    position = Math.max(0, Math.min(length(), to));
    asking = ask && predicting && answer(story.events[position - 1]) !== null;
    draw();
    if (asking) {
      box.value = "";
      box.focus({ preventScroll: true });
    }
  }

  /** To the next event (1), or the former (-1), in another phase or layer (depth 1) or neuron (2). */
  function leap(way, depth) {
    const at = (n) => scene(story, story.events[n - 1], depth);
    let to = position;
    while (to >= 0 && to <= length() && at(to) === at(position)) to += way;
    go(to);
  }

  /** How many events of a run are shown: both runs meet at the first number that differs. */
  function moment(n) {
    const first = mistake?.first_difference;
    if (first && n === 0 && position === first.event + 1) return first.right_event + 1;
    return Math.min(position, views[n].story.events.length);
  }

  function draw() {
    views.forEach(({ name, heading, story: own, caption, stage }, n) => {
      const at = moment(n);
      if (name) heading.textContent = `${name}, step ${at}`;
      stage.show(at, asking);
      caption.show(own, at, asking);
    });
    const event = story.events[moment(0) - 1];
    const [computed, result] = event ? words(event) : ["Start", ""];
    by("time").value = position;
    by("time").setAttribute("aria-valuetext", event ? `${position}, ${PHASES[event.kind]}` : "start");
    by("count").textContent = `Step ${position} of ${length()}`;
    if (self === top) by("count").href = `#${position}`; // in a notebook it would lead out of the frame
    by("first").disabled = by("back").disabled = position === 0;
    for (const id of ["last", "next", "neuron", "layer"]) by(id).disabled = position === length();
    for (const { start, count, button } of phases) {
      if (position > start && position <= start + count) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    said.textContent = `Step ${position}. ${computed}${asking ? ", predict" : result}`;
    if (mistake) showDifference();
    transcript.show(moment(0), asking);
  }

  function showDifference() {
    const first = mistake.first_difference;
    const here = first && position === first.event + 1;
    views.forEach(({ caption }, n) => {
      caption.verdict.hidden = !here;
      if (here) {
        const [said, value] = n === 0 ? ["Expected", first.right] : ["First difference", first.wrong];
        caption.verdict.textContent = `${said}: ${first.what} = ${short(value)}`;
      }
    });
    for (const pane of document.querySelectorAll(".pane")) pane.classList.toggle("differs", Boolean(here));
  }

  function forward() {
    if (!asking) go(position + 1, true);
    else if (box.value.trim()) compare();
    else reveal();
  }

  function back() {
    go(position - 1);
  }

  function play(on) {
    clearInterval(timer);
    const pause = 900 / Number(by("speed").value);
    timer = on ? setInterval(() => (position < length() ? go(position + 1) : play(false)), pause) : 0;
    by("play").setAttribute("aria-label", on ? "Pause" : "Play");
    by("play").classList.toggle("playing", on);
  }

  function playing() {
    if (!timer && position === length()) go(0);
    play(!timer);
  }

  // ---- predict first

  function reveal() {
    asking = false;
    draw();
    by("next").focus({ preventScroll: true });
  }

  function compare() {
    const right = answer(story.events[position - 1]);
    const typed = box.value.trim().replace(",", ".");
    const guess = numeric(typed.toLowerCase());
    const known = typed !== "" && (!Number.isNaN(guess) || /^nan$/i.test(typed));
    if (!known) return judge(`Expected a number, got "${box.value}".`, false);
    reveal();
    const off = Math.abs(guess - right);
    const near = Number.isFinite(right) && off <= Math.max(0.005 * Math.abs(right), 0.0005);
    const close = near || Object.is(guess, right); // inf and nan are right or wrong
    const judged = close ? "Right" : Number.isFinite(off) ? `Off by ${short(off)}` : "Not so";
    judge(`${judged}: you said ${typed}, it is ${short(right)}.`, close);
  }

  function judge(text, close) {
    const { verdict } = views[0].caption;
    said.textContent = verdict.textContent = text;
    verdict.dataset.close = close;
    verdict.hidden = false;
  }

  /** Whether a key belongs to the text in the box, and not to the page. */
  function edits(key) {
    const { selectionStart: start, selectionEnd: end, value } = box;
    if (key === "ArrowLeft") return start > 0 || end > 0;
    if (key === "ArrowRight") return end < value.length;
    return value !== "" || !["Home", "End"].includes(key);
  }

  // ---- controls

  const press = (button, on) => button.setAttribute("aria-pressed", String(on));

  by("first").addEventListener("click", () => go(0));
  by("back").addEventListener("click", back);
  by("play").addEventListener("click", playing);
  by("next").addEventListener("click", forward);
  by("last").addEventListener("click", () => go(length()));
  by("neuron").addEventListener("click", () => leap(1, 2));
  by("layer").addEventListener("click", () => leap(1, 1));
  by("speed").addEventListener("change", () => play(Boolean(timer)));
  by("time").addEventListener("input", () => go(Number(by("time").value)));

  const detail = by("detail");
  const depth = views[0].stage.depth;
  if (depth < 0) detail.parentElement.remove();
  else if (depth < 1) detail.querySelector('[value="1"]').remove();
  detail.value = views[0].stage.opening;
  detail.addEventListener("change", () => {
    for (const { stage } of views) stage.detail(detail.value);
  });

  by("blame").addEventListener("click", () => {
    const on = by("blame").getAttribute("aria-pressed") !== "true";
    press(by("blame"), on);
    for (const { stage } of views) stage.blame = on;
    if (on && depth >= 0 && detail.value === "all") {
      detail.value = String(depth);
      detail.dispatchEvent(new Event("change"));
    }
  });

  by("predict")?.addEventListener("click", () => {
    predicting = !predicting;
    press(by("predict"), predicting);
    document.body.classList.toggle("predicting", predicting);
    play(false);
    go(position, false);
  });
  views[0].caption.form.addEventListener("submit", (event) => {
    event.preventDefault();
    compare();
  });

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = (on) => {
    document.documentElement.dataset.theme = on ? "dark" : "light";
    press(by("theme"), on);
  };
  by("theme").addEventListener("click", () => paint(by("theme").getAttribute("aria-pressed") !== "true"));
  dark.addEventListener("change", () => paint(dark.matches));
  paint(dark.matches);

  const KEYS = {
    ArrowRight: forward,
    ArrowLeft: back,
    Home: () => go(0),
    End: () => go(length()),
    m: () => leap(1, 2),
    n: () => leap(1, 1),
    p: () => leap(-1, 1),
    " ": playing,
    "+": () => views.forEach(({ stage }) => stage.view.zoom(1.4)),
    "-": () => views.forEach(({ stage }) => stage.view.zoom(1 / 1.4)),
    0: () => views.forEach(({ stage }) => stage.view.fit()),
  };
  addEventListener("keydown", (event) => {
    const typing = event.target === box ? edits(event.key) : event.target.matches("select, #bench input, textarea");
    if (event.key === "Escape" && event.target === box) by("next").focus({ preventScroll: true });
    const pressing = event.key === " " && event.target.closest("button, summary, [role=button]");
    const ranging = event.target.matches("#run input");
    if (typing || pressing || ranging || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length > 1 ? event.key : event.key.toLowerCase();
    if (!(key in KEYS)) return;
    event.preventDefault(); // the arrows belong to this frame, not to the notebook around it
    event.stopPropagation();
    KEYS[key]();
  });

  let printed = 0;
  addEventListener("beforeprint", () => {
    printed = position;
    go(length());
    for (const { stage } of views) stage.view.fit();
  });
  addEventListener("afterprint", () => go(printed));

  if (content.runs?.length) {
    const choose = makeTimeline(by("run"), content, (other) => {
      const step = makeStory(other);
      views[0].stage.load(step);
      load(step);
      go(position);
    });
    choose(Math.max(0, content.runs.findIndex((run) => run.steps)));
  }

  if (content.live) {
    const choose = makeBench(by("bench"), content, (other) => {
      const step = makeStory(other);
      if (value) heading.children[0].textContent = ` = ${short(step.nodes[step.nodes.length - 1].data)}`;
      views[0].stage.load(step);
      load(step);
      go(position);
    });
    views[0].stage.onChoose(choose);
  } else by("bench").remove();

  const start = mistake?.first_difference ? mistake.first_difference.event + 1 : 0;
  const linked = () => go(location.hash ? Number(location.hash.slice(1)) || 0 : start); // step.html#57
  addEventListener("hashchange", linked);
  linked();
}
