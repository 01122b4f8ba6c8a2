/** Boxes in rows, drawn on a canvas of the size of what is visible. */
class Graph {
  static rowHeight = 21;
  /** Narrower boxes are drawn as one, without names. */
  static leastWidth = 0.7;

  constructor(scroller, sizer, canvas) {
    Object.assign(this, { scroller, sizer, canvas });
    this.context = canvas.getContext("2d", { alpha: false });
    this.zoomed = 0;
    this.focused = null;
    this.hovered = null;
    this.growsUp = true;
    this.byName = false;
    this.matches = null;
    this.rows = [];
    this.labelWidths = new Map();
    this.sorted = new Map();
    scroller.addEventListener("scroll", () => this.drawSoon());
    new ResizeObserver(() => this.resize()).observe(scroller);
  }

  /** Shows another tree, as a whole. */
  show(tree, growsUp, byName) {
    Object.assign(this, { tree, growsUp, byName, zoomed: 0, focused: null, hovered: null });
    this.sorted.clear();
    this.layOut();
    this.scrollToBase();
  }

  zoom(box) {
    Object.assign(this, { zoomed: box, focused: box, hovered: null });
    this.layOut();
    this.scrollToBox(box);
  }

  /** The box and those that it is below, outermost first. */
  path(box) {
    const path = [box];
    while (box !== 0) path.unshift(box = this.tree.parents[box]);
    return path;
  }

  children(box) {
    if (!this.sorted.has(box)) {
      const { tree } = this, list = tree.children(box);
      const order = (a, b) => {
        const [one, other] = [tree.name(a), tree.name(b)];
        return one < other ? -1 : one > other ? 1 : a - b;
      };
      this.sorted.set(box, list.sort(this.byName ? order : (a, b) => tree.total[b] - tree.total[a] || order(a, b)));
    }
    return this.sorted.get(box);
  }

  /** Computes which boxes are where: all that are wide enough to be seen. */
  layOut() {
    if (!this.tree) return;
    const width = this.width = this.scroller.clientWidth;
    this.rows = [];
    const place = (depth, box, x, boxWidth) => {
      const row = (this.rows[depth] ??= { boxes: [], starts: [], widths: [] });
      row.boxes.push(box);
      row.starts.push(x);
      row.widths.push(boxWidth);
    };
    const path = this.path(this.zoomed);
    path.forEach((box, depth) => place(depth, box, 0, width));
    const scale = width / (this.tree.total[this.zoomed] || 1);
    const pending = [[this.zoomed, path.length, 0]];
    while (pending.length > 0) {
      const [parent, depth, start] = pending.pop();
      let x = start, narrow = 0;
      for (const child of this.children(parent)) {
        const boxWidth = this.tree.total[child] * scale;
        if (boxWidth >= Graph.leastWidth) {
          if (narrow > 0) place(depth, -1, x - narrow, narrow);
          narrow = 0;
          place(depth, child, x, boxWidth);
          pending.push([child, depth + 1, x]);
        } else {
          narrow += boxWidth;
        }
        x += boxWidth;
      }
      if (narrow > 0) place(depth, -1, x - narrow, narrow);
    }
    for (const row of this.rows) Graph.sortByPlace(row);
    this.visibleHeight = this.scroller.clientHeight;
    this.height = Math.max(this.rows.length * Graph.rowHeight + 2, this.visibleHeight);
    this.sizer.style.height = `${this.height}px`;
    this.drawSoon();
  }

  /** Keeps the base where it is. */
  resize() {
    const toBase = this.growsUp ? this.height - this.scroller.scrollTop - this.visibleHeight : 0;
    this.layOut();
    if (this.growsUp) this.scroller.scrollTop = this.height - toBase - this.visibleHeight;
  }

  static sortByPlace(row) {
    const order = row.starts.map((_, i) => i).sort((a, b) => row.starts[a] - row.starts[b]);
    for (const key of ["boxes", "starts", "widths"]) row[key] = order.map((i) => row[key][i]);
  }

  top(depth) {
    return this.growsUp ? this.height - 1 - (depth + 1) * Graph.rowHeight : 1 + depth * Graph.rowHeight;
  }

  scrollToBase() { this.scroller.scrollTop = this.growsUp ? this.height : 0; }

  scrollToBox(box) {
    const top = this.top(this.path(box).length - 1), { scroller } = this;
    const margin = 2 * Graph.rowHeight;
    if (top - margin < scroller.scrollTop) {
      scroller.scrollTop = top - margin;
    } else if (top + Graph.rowHeight + margin > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + Graph.rowHeight + margin - scroller.clientHeight;
    }
    this.drawSoon();
  }

  /** The box at a point of the canvas; null if there is none. */
  boxAt(x, y) {
    const fromTop = y + this.scroller.scrollTop - 1;
    const depth = Math.floor((this.growsUp ? this.height - 2 - fromTop : fromTop) / Graph.rowHeight);
    const row = this.rows[depth];
    if (!row) return null;
    let [low, high] = [0, row.starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (row.starts[middle] <= x) low = middle + 1; else high = middle;
    }
    const index = low - 1;
    if (index < 0 || x >= row.starts[index] + row.widths[index] || row.boxes[index] < 0) return null;
    return row.boxes[index];
  }

  drawSoon() {
    this.isPending ??= requestAnimationFrame(() => {
      this.isPending = undefined;
      this.draw();
    });
  }

  draw() {
    const { context, canvas, scroller } = this, ratio = window.devicePixelRatio || 1;
    const height = scroller.clientHeight;
    const [pixelWidth, pixelHeight] = [Math.round(this.width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
      [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
      [canvas.style.width, canvas.style.height] = [`${this.width}px`, `${height}px`];
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.colours.page;
    context.fillRect(0, 0, this.width, height);
    context.textBaseline = "middle";
    const zoomDepth = this.path(this.zoomed).length - 1;
    this.rows.forEach((row, depth) => {
      const y = this.top(depth) - scroller.scrollTop;
      if (y + Graph.rowHeight < 0 || y > height) return;
      for (let i = 0; i < row.boxes.length; i++) {
        this.drawBox(row.boxes[i], row.starts[i], y, row.widths[i], depth < zoomDepth);
      }
    });
    for (const box of new Set([this.hovered, this.focused])) if (box !== null) this.outline(box, box === this.focused);
    this.onDrawn?.();
  }

  look(box) {
    const { tree, colours } = this;
    if (box === 0 || tree.isGroup(box)) return { kind: "group", fill: colours.fill("group", 0) };
    const label = tree.boxLabels[box], kind = Colours.kind(tree.labels.marks(label));
    if (tree.profile.oldWeights) return { kind, fill: colours.change(tree.total[box], tree.old[box]) };
    return { kind, fill: colours.fill(kind, this.seeds[label] ??= Colours.seed(tree.labels.module(label))) };
  }

  drawBox(box, x, y, width, isAboveZoom) {
    const { context, colours, tree, matches } = this;
    const gap = width > 3 ? 1 : 0;
    const [w, h] = [width - gap, Graph.rowHeight - 1];
    if (box < 0) {
      context.fillStyle = matches ? colours.faded : colours.rest;
      context.fillRect(x, y, w, h);
      return;
    }
    const { kind, fill } = this.look(box);
    const isMatch = matches && box > 0 && matches.has(tree.boxLabels[box]);
    const isFaded = isAboveZoom || (matches && !isMatch);
    context.fillStyle = isMatch ? colours.match : isFaded ? colours.faded : fill;
    context.fillRect(x, y, w, h);
    const pattern = colours.pattern(context, kind);
    if (pattern && w > 2) {
      context.fillStyle = pattern;
      context.fillRect(x, y, w, h);
    }
    if (this.marksWaiting && tree.waiting[box] > 0 && (!isFaded || isMatch)) {
      context.fillStyle = colours.waiting;
      context.fillRect(x, y + h - 2.5, (w * tree.waiting[box]) / tree.total[box], 2.5);
    }
    if (w > 24) this.drawLabel(box, kind, x + 5, y + h / 2 + 0.5, w - 9, isFaded && !isMatch);
  }

  drawLabel(box, kind, x, y, room, isFaded) {
    const { context, colours } = this;
    context.font = Graph.fonts[kind] ?? Graph.fonts.user;
    context.fillStyle = isFaded ? colours.fadedText : colours.text;
    const text = this.fitted(Words.shortened(this.tree.name(box), 400), room);
    if (text) context.fillText(text, x, y);
  }

  /** As much of the text as there is room for. */
  fitted(text, room) {
    const width = this.labelWidths.get(`${this.context.font} ${text}`) ?? this.measure(text);
    if (width <= room) return text;
    let length = Math.floor((text.length * room) / width);
    while (length > 1 && this.context.measureText(`${text.slice(0, length)}…`).width > room) length--;
    return length > 1 ? `${text.slice(0, length)}…` : "";
  }

  measure(text) {
    const { width } = this.context.measureText(text);
    this.labelWidths.set(`${this.context.font} ${text}`, width);
    return width;
  }

  outline(box, isFocused) {
    const depth = this.path(box).length - 1, row = this.rows[depth], index = row ? row.boxes.indexOf(box) : -1;
    if (index < 0) return;
    const { context } = this;
    context.strokeStyle = this.colours.focus;
    context.lineWidth = isFocused ? 2 : 1;
    const inset = context.lineWidth / 2;
    context.strokeRect(
      row.starts[index] + inset, this.top(depth) - this.scroller.scrollTop + inset,
      Math.max(row.widths[index] - 1 - 2 * inset, 1), Graph.rowHeight - 1 - 2 * inset);
  }
}

Graph.family = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";
Graph.fonts = {
  user: `12px ${Graph.family}`,
  inlined: `italic 12px ${Graph.family}`,
  group: `600 12px ${Graph.family}`,
};
