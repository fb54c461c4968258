// Filters and sorts the table of a page. Without it the table is whole, in its own order.
(() => {
  const table = document.querySelector("table.listed");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const field = (id) => document.getElementById(id);
  const choices = [...document.querySelectorAll("#controls select")];
  const count = field("count");
  const whole = count.textContent;
  const holds = (words, wanted) => !wanted || words.split(" ").includes(wanted);
  const filter = () => {
    const wanted = field("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      row.hidden = !(
        wanted.every((word) => texts[index].includes(word)) &&
        choices.every((choice) => holds(row.dataset[choice.dataset.of], choice.value))
      );
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = shown === rows.length ? whole : `${shown} of ${whole}`;
    field("nothing").hidden = shown > 0;
  };
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.order ? Number(cell.dataset.order) : cell.textContent.toLowerCase();
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
