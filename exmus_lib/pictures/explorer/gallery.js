// A page of clips: pictures that load as the page is shown; a click chooses one.
function render({ model, el }) {
  el.classList.add("exmus-gallery");
  const bar = document.createElement("div");
  bar.className = "exmus-bar";
  const back = button("‹ previous", () => turn(-1));
  const next = button("next ›", () => turn(1));
  const place = document.createElement("span");
  bar.append(back, place, next);
  const grid = document.createElement("div");
  grid.className = "exmus-grid";
  el.append(bar, grid);

  function button(text, act) {
    const made = document.createElement("button");
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  }
  function turn(step) {
    const page = Math.min(Math.max(model.get("page") + step, 0), Math.max(model.get("pages") - 1, 0));
    model.set("page", page);
    model.save_changes();
  }
  function count() {
    const page = model.get("page"), pages = model.get("pages");
    place.textContent = pages ? `page ${page + 1} of ${pages}, ${model.get("total")} clips` : "no clip is left by these filters";
    back.disabled = page <= 0;
    next.disabled = page >= pages - 1;
  }
  function draw() {
    count();
    grid.replaceChildren(...model.get("items").map(card));
  }
  function card(item) {
    const made = document.createElement("button");
    made.className = "exmus-card" + (item.id === model.get("chosen") ? " chosen" : "");
    made.dataset.clip = item.id;
    made.title = item.id;
    made.setAttribute("aria-pressed", item.id === model.get("chosen"));
    const picture = document.createElement("img");
    picture.src = item.picture;
    picture.alt = "";  // the title below says it
    picture.loading = "lazy";
    const title = document.createElement("strong");
    title.textContent = item.title;
    const note = document.createElement("span");
    note.textContent = item.note;
    note.className = item.right ? "right" : "wrong";
    made.append(picture, title, note);
    made.addEventListener("click", () => { model.set("chosen", item.id); model.save_changes(); });
    return made;
  }
  function mark() {
    for (const made of grid.children) {
      const chosen = made.dataset.clip === model.get("chosen");
      made.classList.toggle("chosen", chosen);
      made.setAttribute("aria-pressed", chosen);
    }
  }
  model.on("change:items", draw);
  for (const number of ["page", "pages", "total"]) model.on(`change:${number}`, count);
  model.on("change:chosen", mark);
  draw();
}
export default { render };
