// A video with what was predicted of it: bars and muscles, and for a longer one a timeline; all follow the playhead.
function render({ model, el }) {
  el.classList.add("exmus-player");
  const left = division("exmus-left"), video = document.createElement("video"), line = document.createElement("canvas");
  const right = division("exmus-right"), said = division("exmus-said"), body = division("exmus-figure");
  video.controls = video.muted = video.playsInline = true;
  left.append(video, line);
  right.append(said, body);
  el.append(left, right);
  let address = null, shown = -1, frame = 0;

  function division(name) { const made = document.createElement("div"); made.className = name; return made; }
  function load() {
    if (address) URL.revokeObjectURL(address);
    const bytes = model.get("video");
    address = bytes && bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "video/mp4" })) : null;
    if (!address) { video.removeAttribute("src"); return; }
    video.src = address;
    video.play().catch(() => {}); // a browser may want a click first
  }
  function renew() { shown = -1; video.loop = model.get("windows").length < 2; }
  function follow() {
    const windows = model.get("windows"), time = video.currentTime;
    // Windows overlap: the one whose middle is nearest is shown.
    let now = windows.length ? 0 : -1;
    windows.forEach((w, i) => { if (Math.abs(middle(w) - time) < Math.abs(middle(windows[now]) - time)) now = i; });
    if (now !== shown) { shown = now; said.innerHTML = now < 0 ? "" : windows[now].said; body.innerHTML = now < 0 ? "" : windows[now].body; }
    draw(windows);
    frame = requestAnimationFrame(follow);
  }
  function middle(w) { return (w.start + w.end) / 2; }
  function draw(windows) {
    line.hidden = windows.length < 2;
    if (line.hidden) return;
    const width = (line.width = line.clientWidth), end = windows[windows.length - 1].end, pen = line.getContext("2d");
    line.height = 64;
    windows.forEach((w, i) => {
      const from = i ? (middle(windows[i - 1]) + middle(w)) / 2 : 0;
      const to = i + 1 < windows.length ? (middle(w) + middle(windows[i + 1])) / 2 : end;
      const x = (from / end) * width, wide = ((to - from) / end) * width;
      pen.fillStyle = w.colour;
      pen.fillRect(x, 2, wide, 26);
      w.muscles.forEach((share, m) => { pen.fillStyle = `rgba(11, 61, 110, ${share})`; pen.fillRect(x, 31 + m * 3, wide, 3); });
    });
    pen.fillStyle = "#d95f02";
    pen.fillRect((video.currentTime / end) * width - 1, 0, 2, 64);
  }
  line.addEventListener("click", (event) => {
    const windows = model.get("windows");
    video.currentTime = (event.offsetX / line.clientWidth) * windows[windows.length - 1].end;
  });
  model.on("change:video", load);
  model.on("change:windows", renew);
  renew();
  load();
  frame = requestAnimationFrame(follow);
  return () => { cancelAnimationFrame(frame); if (address) URL.revokeObjectURL(address); };
}
export default { render };
