// Sliders of ipywidgets have their description beside them, but their handles no name for who cannot see it: that is the name.
function render({ el }) {
  el.hidden = true;
  function name() {
    for (const slider of document.querySelectorAll(".widget-slider")) {
      const words = slider.querySelector(".widget-label")?.textContent;
      const handles = slider.querySelectorAll("[role=slider]");
      handles.forEach((handle, i) => { handle.ariaLabel = handles.length > 1 ? `${words}, ${i ? "most" : "least"}` : words; });
    }
  }
  const watch = new MutationObserver(name);
  watch.observe(document.body, { childList: true, subtree: true });
  name();
  return () => watch.disconnect();
}
export default { render };
