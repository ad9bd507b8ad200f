// Counts of clips in cells; a click on one chooses its clips, a second click all again.
function render({ model, el }) {
  el.classList.add("exmus-matrix");
  function draw() {
    const rows = model.get("rows"), columns = model.get("columns"), square = rows.length === columns.length;
    const table = document.createElement("table");
    const head = document.createElement("thead"), body = document.createElement("tbody");
    head.append(line([th(square ? "true ↓  predicted →" : ""), ...columns.map((name, j) => th(square ? `${j}` : name, name))]));
    model.get("counts").forEach((counts, i) => {
      const total = counts.reduce((a, b) => a + b, 0);
      body.append(line([th(square ? `${rows[i]}  ${i}` : rows[i]), ...counts.map((count, j) => cell(i, j, count, total))]));
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
  function th(text, title = "") { const made = document.createElement("th"); made.textContent = text; made.title = title; return made; }
  function cell(i, j, count, total) {
    const td = document.createElement("td"), share = total ? count / total : 0;
    td.style.setProperty("--share", share);
    td.classList.toggle("dark", share > 0.66);
    if (!count) return td;
    const press = document.createElement("button");
    press.textContent = count;
    press.dataset.cell = `${i},${j}`;
    press.title = `${model.get("rows")[i]}: ${model.get("columns")[j]}, ${count} clips`;
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
