/** The table of functions, or modules: what each has of its own, and in total. */
class FunctionTable {
  static step = 100;

  /** `onChoose(label)`: null if a label is no longer chosen. */
  constructor(table, more, onChoose) {
    Object.assign(this, { table, more, onChoose });
    this.sort = "own";
    this.chosen = null;
    this.limit = FunctionTable.step;
    for (const heading of table.tHead.rows[0].cells) {
      heading.querySelector("button").addEventListener("click", () => {
        this.sort = heading.dataset.sort;
        this.order = this.sortedLabels();
        this.limit = FunctionTable.step;
        this.render();
      });
    }
    more.addEventListener("click", () => {
      const shown = this.table.tBodies[0].rows.length;
      this.limit += FunctionTable.step;
      this.render();
      this.table.tBodies[0].rows[shown]?.querySelector("button").focus();
    });
  }

  /** `sums` of `labels`; `whole` is 100 %. */
  show(labels, sums, whole) {
    Object.assign(this, { labels, sums, whole });
    this.order = this.sortedLabels();
    this.limit = FunctionTable.step;
    this.render();
  }

  /** Shows only labels that match; null for all. */
  filter(matches) {
    this.matches = matches;
    this.limit = FunctionTable.step;
    this.render();
  }

  /** Those with weight. */
  sortedLabels() {
    const { labels, sums } = this, list = [];
    for (let label = 0; label < labels.count; label++) if (sums.total[label] > 0) list.push(label);
    const byName = (a, b) => {
      const [one, other] = [labels.name(a), labels.name(b)];
      return one < other ? -1 : one > other ? 1 : a - b;
    };
    const { own, total } = sums;
    switch (this.sort) {
      case "own": return list.sort((a, b) => own[b] - own[a] || total[b] - total[a] || byName(a, b));
      case "total": return list.sort((a, b) => total[b] - total[a] || own[b] - own[a] || byName(a, b));
      default: return list.sort(byName);
    }
  }

  render() {
    const sorted = this.matches ? this.order.filter((label) => this.matches.has(label)) : this.order;
    for (const heading of this.table.tHead.rows[0].cells) {
      const isSorted = heading.dataset.sort === this.sort;
      if (isSorted) heading.setAttribute("aria-sort", this.sort === "name" ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
    this.table.tBodies[0].replaceChildren(...sorted.slice(0, this.limit).map((label) => this.row(label)));
    const rest = sorted.length - this.limit;
    this.more.hidden = rest <= 0;
    this.more.textContent = `Show ${Math.min(rest, FunctionTable.step)} more of ${digits.format(Math.max(rest, 0))}`;
  }

  row(label) {
    const { labels, sums, whole } = this;
    const row = document.createElement("tr");
    for (const weight of [sums.own[label], sums.total[label]]) {
      const cell = row.insertCell();
      cell.className = "share";
      cell.textContent = Words.percent(weight, whole);
      cell.title = Words.weight(labels.profile, weight);
      cell.style.setProperty("--share", `${(100 * weight) / (whole || 1)}%`);
    }
    const heading = document.createElement("th");
    heading.scope = "row";
    const button = document.createElement("button");
    button.type = "button";
    const name = document.createElement("span");
    name.textContent = Words.shortened(labels.name(label), 1000);
    button.append(name);
    button.title = name.textContent;
    button.setAttribute("aria-pressed", String(label === this.chosen));
    button.addEventListener("click", () => this.choose(label === this.chosen ? null : label));
    heading.append(button);
    const details = [Words.marks(labels.marks(label)), labels.byModule ? "" : labels.module(label)?.path ?? ""];
    const note = document.createElement("small");
    note.textContent = Words.shortened(details.filter((text) => text).join(" · "), 300);
    heading.append(note);
    row.append(heading);
    return row;
  }

  choose(label) {
    this.chosen = label;
    const focused = this.table.contains(document.activeElement);
    this.render();
    if (focused) this.table.querySelector("[aria-pressed=true]")?.focus();
    this.onChoose(label);
  }
}
