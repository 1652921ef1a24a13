"use strict";
// Sorting and values under the pointer. The page says everything without it.
function sortBy(table, column, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, row => {
    const cell = row.cells[column];
    return [cell.dataset.key === undefined ? cell.textContent : Number(cell.dataset.key), row];
  });
  keyed.sort(([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))));
  if (down) keyed.reverse();
  body.append(...keyed.map(([, row]) => row));
}
for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(table, column, head));
    head.replaceChildren(button);
  });
}
function place(svg, event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [at.x, at.y];
}
function say(svg, words) {
  const output = svg.closest("figure").querySelector("output");
  if (output) output.textContent = words;
  return output;
}
for (const svg of document.querySelectorAll("svg.curves")) {
  const height = 260, top = 10, bottom = 38;
  svg.addEventListener("pointermove", event => {
    const [x, y] = place(svg, event);
    let best = [400, ""];
    for (const line of svg.querySelectorAll("polyline")) {
      line.getAttribute("points").split(" ").forEach((point, layer) => {
        const [px, py] = point.split(",").map(Number);
        const far = (px - x) ** 2 + (py - y) ** 2;
        if (far >= best[0]) return;
        const low = Number(line.dataset.low), high = Number(line.dataset.high);
        const value = low + (height - bottom - py) / (height - top - bottom) * (high - low);
        best = [far, `${line.querySelector("title").textContent}, layer ${layer}: ${value.toFixed(2)}`];
      });
    }
    say(svg, best[1]);
  });
  svg.addEventListener("pointerleave", () => say(svg, ""));
}
for (const svg of document.querySelectorAll("svg.heat[data-values]")) {
  const values = Uint8Array.from(atob(svg.dataset.values), c => c.charCodeAt(0));
  const order = svg.dataset.order.split(" ").map(Number), left = Number(svg.dataset.left);
  const names = document.querySelectorAll("#model-table tbody tr");
  const labels = new Map(Array.from(names, row => [Number(row.cells[0].dataset.key), row.cells[1].textContent]));
  const output = svg.closest("figure").querySelector("output") || svg.closest("figure").querySelector("figcaption").appendChild(document.createElement("output"));
  output.className = "value";
  svg.addEventListener("pointermove", event => {
    const [x, y] = place(svg, event);
    const row = Math.floor(y / 400 * order.length), column = Math.floor((x - left) / 400 * order.length);
    if (column < 0 || row < 0 || row >= order.length || column >= order.length) return say(svg, "");
    const level = values[row * order.length + column];
    const value = level === 255 ? "no value" : ((level - 100) / 100).toFixed(2);
    const [one, other] = [order[row], order[column]].map(model => `${model} \u2068${labels.get(model)}\u2069`);
    say(svg, `${one} and ${other}: ${value}`);
  });
  svg.addEventListener("pointerleave", () => say(svg, ""));
}
