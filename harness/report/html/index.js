// Filters and sorts the table of scenarios. Without it the table is whole, in the order of names.
(() => {
  const table = document.getElementById("scenarios");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const field = (id) => document.getElementById(id);
  const count = field("count");
  const whole = count.textContent;
  const holds = (words, wanted) => !wanted || words.split(" ").includes(wanted);
  const filter = () => {
    const wanted = field("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      const { states, claims, verdict } = row.dataset;
      row.hidden = !(
        wanted.every((word) => texts[index].includes(word)) &&
        holds(states, field("state").value) &&
        holds(claims, field("claim").value) &&
        holds(verdict, field("verdict").value)
      );
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = shown === rows.length ? whole : `${shown} of ${whole}`;
    field("nothing").hidden = shown > 0;
  };
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.seconds ? Number(cell.dataset.seconds) : cell.textContent.toLowerCase();
  };
  const sort = (head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const each of head.parentNode.cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row) => [key(row, column), row]);
    keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    if (down) keyed.reverse();
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(head, column));
  });
  const controls = field("controls");
  controls.hidden = false;
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("input", filter);
  filter();
})();
