"use strict";

// The panel where a learner changes numbers: a weight, an input, the learning rate.

/** `show` is called with the step that follows from the numbers; `content` is that of the page. */
function makeBench(panel, content, show) {
  const story = makeStory(content);
  const { rows, rate } = content.live;
  const recorded = { leaves: story.nodes.map(({ data }) => numeric(data)), rate };
  const of = (name) => panel.querySelector(`[name=${name}]`);
  const taken = []; // what there was before each step that was taken
  let now = recorded;
  let numbers;

  const changeable = story.nodes.filter(({ kind }) => kind === "parameter" || kind === "input");
  for (const { id, name, group } of changeable) {
    const option = html("option", "", [...group, name].join(", "));
    option.value = id;
    of("number").append(option);
  }

  function compute() {
    numbers = recomputed(story, rows, now.leaves, now.rate);
    show(unpacked(content, packedAgain(story, numbers)));
    const id = Number(of("number").value);
    const value = now.leaves[id];
    write("value", value);
    write("rate", now.rate);
    const wide = Math.max(2, 2 * Math.abs(recorded.leaves[id]));
    Object.assign(of("slide"), { min: -wide, max: wide, step: wide / 200, value });
    const steps = many(taken.length, "step");
    const [loss, after] = [numbers.loss, numbers.loss_after].map(short);
    of("said").textContent = `Loss ${loss}, after this step ${after}. ${steps} taken.`;
    of("rewind").disabled = !taken.length;
    of("json").hidden = true;
  }

  /** A text that says the same number, such as "1.", stays as it was typed. */
  function write(field, value) {
    if (numeric(of(field).value) !== value) of(field).value = value;
  }

  /** Nothing is computed with what is no number yet, such as a lone minus. */
  function change(field, put) {
    of(field).addEventListener("input", () => {
      const value = of(field).value.trim();
      if (value === "" || !Number.isFinite(Number(value))) return;
      now = put(Number(value));
      compute();
    });
  }

  const withLeaf = (value) => {
    const leaves = [...now.leaves];
    leaves[Number(of("number").value)] = value;
    return { ...now, leaves };
  };
  change("value", withLeaf);
  change("slide", withLeaf);
  change("rate", (value) => ({ ...now, rate: value }));
  of("number").addEventListener("change", compute);
  of("take").addEventListener("click", () => {
    taken.push(now);
    const leaves = [...now.leaves];
    numbers.updated.forEach(({ node }, n) => (leaves[node] = numbers.after[n]));
    now = { ...now, leaves };
    compute();
  });
  of("rewind").addEventListener("click", () => {
    now = taken.pop();
    compute();
  });
  of("reset").addEventListener("click", () => {
    taken.length = 0;
    now = recorded;
    compute();
  });
  of("export").addEventListener("click", () => {
    const values = (list) => Object.fromEntries(changeable.map(({ id, label }) => [label, list[id]]));
    const { loss, loss_after, data, grad } = numbers;
    const steps_taken = taken.length;
    const lists = { data: values(data), grad: values(grad) };
    const all = { format: "brickgrad live", rate: now.rate, steps_taken, loss, loss_after, ...lists };
    const plain = (_, x) => (typeof x === "number" && !Number.isFinite(x) ? special(x) : x);
    of("json").value = JSON.stringify(all, plain, 1);
    of("json").hidden = false;
    of("json").select();
  });
  panel.addEventListener("toggle", () => panel.open && !numbers && compute());
  panel.hidden = false;

  /** A click on a card of the picture chooses its number. */
  return (id) => {
    if (!changeable.some((node) => node.id === id)) return;
    of("number").value = id;
    if (panel.open) compute();
  };
}
