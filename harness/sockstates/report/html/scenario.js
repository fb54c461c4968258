// Says the whole of the segment that is pointed at or has the focus; arrow keys go from one to
// the next, so that one Tab is enough to pass them all.
(() => {
  const readout = document.getElementById("readout");
  const segments = [...document.querySelectorAll(".step .segment")];
  const say = (segment) => {
    readout.hidden = !segment;
    readout.textContent = segment ? segment.getAttribute("aria-label") : "";
  };
  const focused = () => segments.find((each) => each === document.activeElement);
  segments.forEach((segment, index) => {
    segment.setAttribute("tabindex", index ? "-1" : "0");
    segment.addEventListener("mouseenter", () => say(segment));
    segment.addEventListener("mouseleave", () => say(focused()));
    segment.addEventListener("focus", () => say(segment));
    segment.addEventListener("blur", () => say(null));
    segment.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const next = step && segments[index + step];
      if (event.key === "Escape") segment.blur();
      if (!next) return;
      event.preventDefault();
      segment.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  });
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details.legend, #packets")) each.open = true;
  });
})();
