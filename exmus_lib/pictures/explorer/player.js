// A video with what was predicted of it: bars and muscles, and for a longer one a timeline; all follow the playhead.
const DARK = [11, 61, 110]; // as body.shade
const MOVES = ["play", "seeking", "seeked", "timeupdate", "loadedmetadata"]; // what may change the moment that is shown
const STRIP = 26, ROW = 5; // pixels of the timeline: the exercises, and each muscle below them

function render({ model, el }) {
  el.classList.add("exmus-player");
  const left = division("exmus-left"), video = document.createElement("video"), line = document.createElement("canvas");
  const right = division("exmus-right"), bars = division("exmus-predicted"), body = division("exmus-figure");
  const legend = division("exmus-legend"), inWords = document.createElement("details"), words = document.createElement("p");
  video.controls = video.muted = video.playsInline = true;
  line.setAttribute("role", "img");
  line.setAttribute("aria-label", "timeline; the video's own control moves along it");
  inWords.innerHTML = "<summary>in words</summary>";
  inWords.append(words);
  left.append(video, line, legend);
  right.append(bars, body);
  el.append(left, right);
  let address = null, shown = -1, drawn = "", frame = 0;

  function division(name) { const made = document.createElement("div"); made.className = name; return made; }
  function load() {
    if (address) URL.revokeObjectURL(address);
    const bytes = model.get("video");
    address = bytes && bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "video/mp4" })) : null;
    left.hidden = !address;
    if (!address) { video.removeAttribute("src"); video.load(); return; }
    const moment = video.currentTime; // the same video with or without its skeleton goes on where it was
    video.src = address;
    video.currentTime = moment;
    video.play().catch(() => {}); // a browser may want a click first
  }
  function renew() {
    const windows = model.get("windows"), several = windows.length > 1;
    const marks = model.get("marks") || [];
    shown = -1;
    drawn = "";
    video.loop = !several;
    line.hidden = legend.hidden = !several;
    body.innerHTML = windows.length && Object.keys(windows[0].shares).length ? model.get("figure") : "";
    if (body.innerHTML) body.append(inWords);
    bars.replaceChildren();
    legend.replaceChildren(...(several ? [...new Map(windows.map((w) => [w.answer, w])).values()].map(key) : []));
    if (several && body.innerHTML) legend.append(`below, from above: ${Object.keys(windows[0].shares).join(", ")}`);
    if (several && marks.length) legend.append(`${body.innerHTML ? "; " : ""}strokes: repetitions`);
    soon();
  }
  function key(w) {
    const made = document.createElement("span"), patch = document.createElement("i");
    patch.style.background = w.colour;
    made.append(patch, `${w.number} ${w.answer}`);
    return made;
  }
  function follow() {
    const windows = model.get("windows"), time = video.currentTime;
    // Windows overlap: the one whose middle is nearest is shown.
    let now = windows.length ? 0 : -1;
    windows.forEach((w, i) => { if (Math.abs(middle(w) - time) < Math.abs(middle(windows[now]) - time)) now = i; });
    if (now !== shown) { shown = now; if (now >= 0) describe(windows[now]); }
    const look = `${time} ${line.clientWidth}`;
    if (look !== drawn && windows.length > 1) { drawn = look; draw(windows); }
    if (!video.paused && !video.ended) soon(); // a video that stands still costs nothing
  }
  function soon() { frame ||= requestAnimationFrame(() => { frame = 0; follow(); }); }
  function middle(w) { return (w.start + w.end) / 2; }
  function describe(w) {
    bars.innerHTML = w.html;
    words.textContent = w.words;
    for (const muscle of body.querySelectorAll("[data-muscle]")) {
      const share = w.shares[muscle.dataset.muscle];
      muscle.setAttribute("fill", `rgb(${DARK.map((dark) => Math.round(255 + share * (dark - 255)))})`);
      for (const text of muscle.querySelectorAll("title, [data-value]"))
        text.textContent = text.textContent.replace(/\d+%/, `${Math.round(100 * share)}%`);
    }
    body.querySelector("svg")?.setAttribute("aria-label", w.words);
  }
  function draw(windows) {
    const width = (line.width = line.clientWidth), end = windows[windows.length - 1].end, pen = line.getContext("2d");
    line.height = STRIP + 3 + ROW * Object.keys(windows[0].shares).length;
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    windows.forEach((w, i) => {
      const from = i ? (middle(windows[i - 1]) + middle(w)) / 2 : 0;
      const to = i + 1 < windows.length ? (middle(w) + middle(windows[i + 1])) / 2 : end;
      const x = (from / end) * width, wide = ((to - from) / end) * width;
      pen.fillStyle = w.colour;
      pen.fillRect(x, 0, wide, STRIP);
      pen.fillStyle = "#1a1a1a";
      if (wide > 16) pen.fillText(w.number, x + wide / 2, STRIP / 2);
      Object.values(w.shares).forEach((share, m) => {
        pen.fillStyle = `rgba(${w.ink}, ${share})`;
        pen.fillRect(x, STRIP + 3 + m * ROW, wide, ROW);
      });
    });
    pen.fillStyle = "#1a1a1a";
    for (const turn of model.get("marks") || []) pen.fillRect((turn / end) * width, STRIP - 6, 1, 6);
    pen.fillStyle = "#d95f02";
    pen.fillRect((video.currentTime / end) * width - 1, 0, 2, line.height);
  }
  line.addEventListener("click", (event) => {
    const windows = model.get("windows");
    video.currentTime = (event.offsetX / line.clientWidth) * windows[windows.length - 1].end;
  });
  model.on("change:video", load);
  model.on("change:windows", renew);
  model.on("change:called", () => el.scrollIntoView({ block: "nearest" }));
  for (const move of MOVES) video.addEventListener(move, soon);
  const room = new ResizeObserver(soon);
  room.observe(line);
  renew();
  load();
  return () => { room.disconnect(); cancelAnimationFrame(frame); if (address) URL.revokeObjectURL(address); };
}
export default { render };
