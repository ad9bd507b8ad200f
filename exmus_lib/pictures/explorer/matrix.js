// Counts of clips in cells; a click on one chooses its clips, a second click all again.
function render({ model, el }) {
  el.classList.add("exmus-matrix");
  function draw() {
    const rows = model.get("rows"), columns = model.get("columns"), square = rows.length === columns.length;
    const table = document.createElement("table");
    const head = document.createElement("thead"), body = document.createElement("tbody");
    const corner = document.createElement("td");
    corner.textContent = square ? "true ↓  predicted →" : "";
    head.append(line([corner, ...columns.map((name) => th(name, "col"))]));
    table.classList.toggle("square", square);
    model.get("counts").forEach((counts, i) => {
      const total = counts.reduce((a, b) => a + b, 0);
      body.append(line([th(rows[i], "row"), ...counts.map((count, j) => cell(i, j, count, total))]));
    });
    table.append(head, body);
    el.replaceChildren(table);
    mark();
  }
  function mark() {
    for (const press of el.querySelectorAll("button")) {
      const chosen = press.dataset.cell === model.get("cell").join();
      press.setAttribute("aria-pressed", chosen);
      press.parentElement.classList.toggle("chosen", chosen);
    }
  }
  function line(cells) { const tr = document.createElement("tr"); tr.append(...cells); return tr; }
  function th(text, scope) {
    const made = document.createElement("th"), name = document.createElement("span");
    made.scope = scope;
    name.textContent = text;
    made.append(name);
    return made;
  }
  function cell(i, j, count, total) {
    const td = document.createElement("td"), share = total ? count / total : 0;
    td.style.setProperty("--share", share);
    td.classList.toggle("dark", share > 0.66);
    if (!count) return td;
    const press = document.createElement("button");
    press.textContent = count;
    press.dataset.cell = `${i},${j}`;
    press.ariaLabel = press.title = `${model.get("rows")[i]}: ${model.get("columns")[j]}, ${count} clips`;
    press.addEventListener("click", () => {
      const again = model.get("cell").join() === `${i},${j}`;
      model.set("cell", again ? [] : [i, j]);
      model.save_changes();
    });
    td.append(press);
    return td;
  }
  model.on("change:counts", draw);
  model.on("change:cell", mark);
  draw();
}
export default { render };
