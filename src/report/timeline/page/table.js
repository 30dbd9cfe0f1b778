// A table of any length: only the rows in sight exist.

const ROW = 26;

class Table {
  /** `columns` names them; `fill(index)` gives the cells of a row; `choose(index)` is told of a click. */
  constructor(scroll, columns, fill, choose, empty) {
    Object.assign(this, { scroll, fill, choose, empty, order: [], at: -1, made: new Map() });
    this.rows = element("div", { class: "rows", role: "rowgroup" });
    this.title = element("div", { class: "row title", role: "row" }, ...columns.map((column) => element("span", { role: "columnheader" }, column)));
    this.none = element("div", { class: "empty" });
    scroll.setAttribute("role", "table");
    scroll.append(this.title, this.rows, this.none);
    scroll.addEventListener("scroll", () => this.redraw(), { passive: true });
    scroll.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.redraw()).observe(scroll);
    matchMedia("print").addEventListener("change", () => this.redraw());
  }

  /** Shows these rows, in this order. */
  show(order) {
    this.order = order;
    this.rows.style.height = `${order.length * ROW}px`;
    this.scroll.setAttribute("aria-rowcount", order.length);
    this.none.textContent = order.length ? "" : this.empty;
    this.none.hidden = order.length > 0;
    this.clear();
    this.draw();
  }

  clear() {
    this.made.clear();
    this.rows.replaceChildren();
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = undefined;
    const print = matchMedia("print").matches;
    const height = this.scroll.clientHeight;
    let first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - 8);
    let end = Math.min(this.order.length, first + Math.ceil(height / ROW) + 20);
    // On paper nobody scrolls; a run that is longer than this has its file for a reason.
    if (print) [first, end] = [0, Math.min(this.order.length, 600)];
    for (const [at, row] of this.made) {
      if (at < first || at >= end) { row.remove(); this.made.delete(at); }
    }
    for (let at = first; at < end; at++) {
      if (!this.made.has(at)) this.made.set(at, this.make(at));
    }
  }

  make(at) {
    const index = this.order[at];
    const row = element("div", { class: "row", role: "row", "aria-rowindex": at + 1, "aria-selected": index === this.at ? "true" : "false",
      style: { top: `${at * ROW}px` }, onclick: () => this.choose(index) }, ...this.fill(index));
    row.dataset.index = index;
    for (const cell of row.children) cell.setAttribute("role", "cell");
    // In their order, for those who hear or print the table.
    let before = at - 1;
    while (before >= 0 && !this.made.has(before) && at - before < 3) before--;
    const neighbour = this.made.get(before);
    if (neighbour) neighbour.after(row);
    else if (this.made.size && at < Math.min(...this.made.keys())) this.rows.prepend(row);
    else this.rows.append(row);
    return row;
  }

  /** Marks a row, and scrolls to it if it is out of sight; -1 marks none. */
  select(index) {
    this.at = index;
    for (const row of this.rows.children) row.setAttribute("aria-selected", Number(row.dataset.index) === index ? "true" : "false");
    const at = index < 0 ? -1 : this.position(index);
    if (at < 0) return;
    const top = at * ROW, height = this.scroll.clientHeight - 28;
    if (top < this.scroll.scrollTop || top + ROW > this.scroll.scrollTop + height) {
      this.scroll.scrollTop = Math.max(0, top - height / 3);
    }
    this.draw();
  }

  /** Where a row stands: the order is an ascending one. */
  position(index) {
    const at = firstAt(this.order.length, (one) => this.order[one] >= index);
    return this.order[at] === index ? at : -1;
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || !this.order.length) return;
    event.preventDefault();
    event.stopPropagation();
    const now = this.at < 0 ? -1 : this.position(this.at);
    const next = Math.max(0, Math.min(this.order.length - 1, now + steps[event.key]));
    this.choose(this.order[next]);
  }
}
