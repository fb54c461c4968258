// Run in a page of the report: what is wrong with it, in words. `states` are the bars that must be
// there, as [host, state]; null for a page that is not a scenario's.
(states) => {
  const found = [];
  const words = (element) => `"${element.textContent.slice(0, 40)}"`;
  const meet = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  if (document.documentElement.scrollWidth > innerWidth)
    found.push(`overflow: ${document.documentElement.scrollWidth} > ${innerWidth}`);
  if (states) {
    const steps = [...document.querySelectorAll(".step")];
    if (!steps.length || !document.querySelector(".step svg .segment")) found.push("no ladder");
    for (const step of steps) if (!step.querySelector("svg.ladder")) found.push("a step without its ladder");
    for (const [host, state] of states) {
      const bar = document.querySelector(`.state[data-host="${host}"][data-state="${state}"] .solid`);
      const box = bar && bar.getBoundingClientRect();
      if (!box || box.width < 10 || box.height < 1) found.push(`no bar: ${host} ${state}`);
    }
  }
  for (const svg of document.querySelectorAll(".step svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter((each) => each.textContent.trim());
    const boxes = texts.map((each) => each.getBoundingClientRect());
    boxes.forEach((box, index) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1)
        found.push(`cut off: ${words(texts[index])}`);
      for (let other = index + 1; other < boxes.length; other++)
        if (meet(box, boxes[other]))
          found.push(`overlap: ${words(texts[index])} and ${words(texts[other])}`);
    });
  }
  // Contrast, as WCAG 2 reckons it: 4.5 to 1 for text of this size.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) known.set(colour, painted(colour));
    return known.get(colour);
  };
  const painted = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = rgba(colour).map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    const bar = element.classList.contains("name") && element.parentNode.querySelector(".solid");
    if (bar) return getComputedStyle(bar).fill;
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const seen = new Set();
  for (const element of document.querySelectorAll("h1,h2,h3,p,a,code,td,th,span,summary,label,text,pre,dt,dd,button")) {
    if (!element.textContent.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = element instanceof SVGElement ? style.fill : style.color;
    const paper = ground(element);
    if (seen.has(`${ink} ${paper}`)) continue;
    seen.add(`${ink} ${paper}`);
    const [a, b] = [light(ink), light(paper)].sort((one, other) => other - one);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`contrast: ${ratio.toFixed(2)} of ${words(element)}, ${ink} on ${paper}`);
  }
  return found;
}
