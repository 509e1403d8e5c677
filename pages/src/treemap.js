// Draws a treemap of a table, which has the same values. Each row of the table has its level, its
// bytes, and how many of them a load reads. The map shows three levels below the chosen row.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 960, HEIGHT = 440, HEAD = 17, SMALLEST = 2;

  // The rows as a tree. A row belongs to the last row of a lower level.
  function tree(table, field) {
    const root = { name: table.dataset.name, bytes: 0, above: null, below: [] };
    const path = [root];
    for (const row of table.querySelectorAll("tbody tr[data-bytes]")) {
      const level = Number(row.dataset.level);
      const bytes = Number(row.dataset[field] || 0);
      path.length = Math.min(path.length, level);
      const above = path[path.length - 1];
      const node = { name: row.cells[0].textContent, bytes, above, below: [] };
      path.push(node);
      if (bytes > 0) above.below.push(node);
      if (level === 1) root.bytes += bytes;
    }
    return root;
  }

  // Squarified treemaps (Bruls, Huizing, van Wijk, 2000): rows of rectangles that are nearly square.
  function layout(nodes, x, y, w, h) {
    const placed = [];
    let rest = nodes.slice().sort((a, b) => b.bytes - a.bytes);
    let total = rest.reduce((sum, node) => sum + node.bytes, 0);
    while (rest.length > 0 && total > 0 && w > 0 && h > 0) {
      const side = Math.min(w, h), scale = (w * h) / total;
      let row = [], sum = 0, worst = Infinity;
      for (const node of rest) {
        const more = sum + node.bytes;
        const depth = (more * scale) / side;
        const ratio = Math.max(...[row[0] || node, node].map((it) => {
          const length = (it.bytes * scale) / depth;
          return Math.max(length / depth, depth / length);
        }));
        if (ratio > worst) break;
        row.push(node); sum = more; worst = ratio;
      }
      const depth = (sum * scale) / side;
      let at = 0;
      for (const node of row) {
        const length = (node.bytes * scale) / depth;
        placed.push(w >= h ? { node, x, y: y + at, w: depth, h: length }
          : { node, x: x + at, y, w: length, h: depth });
        at += length;
      }
      if (w >= h) { x += depth; w -= depth; } else { y += depth; h -= depth; }
      rest = rest.slice(row.length);
      total -= sum;
    }
    return placed;
  }

  function size(bytes) {
    const units = ["B", "KiB", "MiB", "GiB"];
    let unit = 0;
    while (bytes >= 1023.5 && unit < 3) { bytes /= 1024; unit += 1; }
    return unit === 0 ? `${bytes} B` : `${bytes.toPrecision(3)} ${units[unit]}`;
  }

  function element(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function map(place) {
    const table = document.getElementById(place.dataset.table);
    const views = [["bytes", "Bytes of the file"]];
    if (table.querySelector("tr[data-load]")) views.push(["load", "Bytes that a load reads"]);
    let field = "bytes", all = tree(table, field), root = all, boxes = [];
    const bar = document.createElement("div");
    bar.className = "bar";
    const buttons = views.map(([name, text]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.addEventListener("click", () => { field = name; all = tree(table, name); show(all); });
      bar.append(button);
      return [name, button];
    });
    const up = document.createElement("button");
    up.type = "button";
    up.textContent = "Up";
    up.addEventListener("click", () => show(root.above || root));
    bar.append(up);
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group" });
    const said = document.createElement("output");
    said.setAttribute("aria-live", "polite");
    place.replaceChildren(bar, svg, said);

    const path = (node) => (node.above ? path(node.above).concat(node.name) : [node.name]);
    const words = (node) =>
      `${node.name}: ${size(node.bytes)}, ${((node.bytes / all.bytes) * 100).toFixed(1)} %`;

    function box(at, colour, depth) {
      const { node, x, y, w, h } = at;
      if (w < SMALLEST || h < SMALLEST) return;
      const inner = element("g", { role: "button", tabindex: "-1", "aria-label": words(node) +
        (node.below.length ? ", has parts" : "") });
      inner.append(element("title", {}, words(node)),
        element("rect", { x: x.toFixed(1), y: y.toFixed(1), width: w.toFixed(1),
          height: h.toFixed(1), class: `c${colour % 8}` }));
      svg.append(inner);
      const letters = Math.floor((w - 6) / 7);
      if (h >= HEAD && letters >= 3) {
        const name = Array.from(node.name);
        const short = name.length > letters ? name.slice(0, letters - 1).join("") + "…" : node.name;
        inner.append(element("text", { x: (x + 4).toFixed(1), y: (y + 13).toFixed(1) }, short));
      }
      const number = boxes.length;
      boxes.push(inner);
      inner.addEventListener("click", () => (node.below.length ? show(node) : focus(number)));
      inner.addEventListener("focus", () => { said.textContent = path(node.above).concat(words(node)).join(" › "); });
      inner.addEventListener("keydown", (event) => key(event, node, number));
      if (depth > 0 && h > HEAD + 6 && w > 12) {
        for (const part of layout(node.below, x + 2, y + HEAD, w - 4, h - HEAD - 2)) {
          box(part, colour, depth - 1);
        }
      }
    }

    function focus(number) {
      const next = boxes[(number + boxes.length) % boxes.length];
      if (!next) return;
      for (const one of boxes) one.setAttribute("tabindex", one === next ? "0" : "-1");
      next.focus();
    }

    function key(event, node, number) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      switch (event.key) {
        case "ArrowRight": case "ArrowDown": focus(number + 1); break;
        case "ArrowLeft": case "ArrowUp": focus(number - 1); break;
        case "Home": focus(0); break;
        case "End": focus(boxes.length - 1); break;
        case "Enter": case " ": if (node.below.length) { show(node); focus(0); } break;
        case "Escape": case "Backspace": if (root.above) { show(root.above); focus(0); } break;
        default: return;
      }
      event.preventDefault();
    }

    function show(node) {
      root = node;
      boxes = [];
      svg.replaceChildren();
      layout(root.below, 0, 0, WIDTH, HEIGHT).forEach((at, number) => box(at, number, 2));
      if (boxes[0]) boxes[0].setAttribute("tabindex", "0");
      for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(name === field));
      up.disabled = !root.above;
      said.textContent = `${path(root).join(" › ")}: ${size(root.bytes)}`;
      svg.setAttribute("aria-label", `Treemap of ${said.textContent}. Arrow keys move, Enter opens, Escape goes back.`);
      place.dataset.boxes = String(boxes.length);
    }
    show(all);
  }

  for (const place of document.querySelectorAll(".map[data-table]")) map(place);
})();
