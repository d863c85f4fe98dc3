"use strict";

// The panels around the picture: the current event in large numbers, and the transcript.

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

const MANY_TILES = 8; // in a line, in large letters

/** The caption shows an event; `hidden` leaves out the number to predict. */
function makeCaption(pane) {
  const root = copy("caption");
  pane.prepend(root);
  const [phase, about] = root.querySelector(".phase").children;
  const [line, tiles, form, verdict] = [".words", ".tiles", ".guess", ".verdict"].map((s) => root.querySelector(s));
  return {
    form,
    verdict,
    show(story, position, hidden) {
      const event = story.events[position - 1];
      const [computed, result] = event ? words(event) : ["Nothing is computed yet. Step forward.", ""];
      const list = event ? TILES[event.kind](event, story) : [];
      phase.textContent = event ? PHASES[event.kind] : "Start";
      about.textContent = event ? place(story, event) : "";
      line.textContent = (event ? glance(story, event, computed) : computed) + (hidden ? " = ?" : result);
      line.classList.toggle("brief", list.length > 0);
      line.title = event && !hidden ? inFull(story, event) : "";
      tiles.replaceChildren(...list.map((tile) => makeTile(tile, hidden)));
      tiles.classList.toggle("many", list.length > MANY_TILES);
      form.hidden = !hidden;
      verdict.hidden = true;
    },
  };
}

function makeTile(tile, hidden) {
  if (typeof tile === "string") return html("span", tile ? "sign" : "gap", tile);
  const [value, name, asked] = tile;
  const box = html("div", asked ? "tile result" : "tile");
  const written = typeof value === "string" && value.includes(" ") ? value : short(value); // 2 x 3
  box.append(html("b", "", hidden && asked ? "?" : written), html("span", "", name));
  box.lastChild.title = name; // where there is no room for all of it
  return box;
}

// ---- the transcript

const BLOCK = 40; // lines that the browser lays out, or leaves out, together

function makeTranscript(list, go) {
  let items = [];
  let now = 0;
  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) go(items.indexOf(item) + 1);
  });

  /** Scrolls to a line that is out of view, again where blocks that come in have another height. */
  function bring(item, tries = 8) {
    const [line, block, room] = [item, item.parentElement, list].map((part) => part.getBoundingClientRect());
    const top = Math.min(line.top, block.bottom); // a block that is left out may be lower than its lines
    const inside = top === line.top && top >= room.top && (line.bottom <= room.bottom || line.height > room.height);
    if (!inside) list.scrollTop += top - room.top - Math.max(0, room.height - line.height) / 2;
    if (tries && items[now - 1] === item) requestAnimationFrame(() => bring(item, inside ? Math.min(tries, 4) - 1 : tries - 1));
  }

  return {
    load(story, mistake) {
      const twins = new Map(mistake?.partners?.map((right, n) => [right, mistake.wrong.events[n]]));
      let before = "";
      items = story.events.map((event, n) => {
        const item = html("li", "future");
        item.dataset.step = n + 1;
        const [computed, result] = words(event);
        const where = place(story, event);
        if (where && where !== before) item.append(html("span", "place", where));
        before = where;
        item.append(html("span", "", computed), html("span", "result", result));
        const twin = twins.get(n);
        if (mistake && twin?.text !== event.text) {
          item.append(html("span", "wrong", twin ? twin.text : "nothing here"));
        }
        return item;
      });
      now = 0;
      list.replaceChildren();
      for (let n = 0; n < items.length; n += BLOCK) {
        const block = html("ol");
        block.append(...items.slice(n, n + BLOCK));
        list.append(block);
      }
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
      bring(item);
    },
  };
}
