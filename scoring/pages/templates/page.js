// Sorts a table by the column whose button is pressed, and opens what is closed before the page is printed.
document.documentElement.classList.add("js");

function keyOf(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  return cell.classList.contains("num") ? (text === "" || Number.isNaN(Number(text)) ? null : Number(text)) : text;
}

function compareKeys(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
}

function sortBy(table, header, headers) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  for (const other of headers) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const column = Number(header.dataset.column);
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: keyOf(row, column) }));
  const known = rows.filter((each) => each.key !== null);
  const unknown = rows.filter((each) => each.key === null); // last, in either direction
  known.sort((a, b) => (ascending ? 1 : -1) * compareKeys(a.key, b.key));
  table.tBodies[0].append(...[...known, ...unknown].map((each) => each.row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.querySelectorAll("thead th[data-column]")];
  for (const header of headers) {
    header.querySelector("button").addEventListener("click", () => sortBy(table, header, headers));
  }
}

const closed = new Set();
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open], .long)")) {
    closed.add(details);
    details.open = true;
  }
});
window.addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
  closed.clear();
});
