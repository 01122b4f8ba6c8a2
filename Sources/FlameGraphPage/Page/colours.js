/** Fill, text and pattern of boxes. What a frame is shows in both, because not everybody tells colours apart. */
class Colours {
  constructor(isDark) {
    this.isDark = isDark;
    this.patterns = new Map();
    this.fills = new Map();
    this.page = isDark ? "#16181c" : "#ffffff";
    this.text = isDark ? "#f1efe9" : "#1c1b19";
    this.fadedText = isDark ? "#7d8088" : "#9a968f";
    this.faded = isDark ? "#25282d" : "#f0eeea";
    this.rest = isDark ? "#34373d" : "#dedad3";
    this.match = isDark ? "#a8327c" : "#e86fb7";
    this.focus = isDark ? "#ffffff" : "#000000";
    this.waiting = isDark ? "#8598f0" : "#5566c9";
  }

  colour(hue, saturation, lightness) {
    const [s, l] = this.isDark ? [saturation * 0.5, 36 - (lightness - 80) * 0.5] : [saturation, lightness];
    return `hsl(${hue} ${s}% ${l}%)`;
  }

  /** The kind of a frame with these marks: a key of Colours.kinds. */
  static kind(marks) {
    if (marks & Mark.truncated) return "truncated";
    if (marks & Mark.unchecked) return "unchecked";
    if (marks & Mark.guessed) return "guessed";
    if (marks & Mark.finished) return "finished";
    if (marks & Mark.inferred) return "inferred";
    if (marks & Mark.kernel) return "kernel";
    if (marks & Mark.inlined) return "inlined";
    return "user";
  }

  /** `seed` is the same for all functions of a module. */
  fill(kind, seed) {
    const key = `${kind} ${seed}`;
    if (!this.fills.has(key)) this.fills.set(key, this.mix(kind, seed));
    return this.fills.get(key);
  }

  mix(kind, seed) {
    switch (kind) {
      case "group": return this.isDark ? "#3b3f46" : "#d5d3ce";
      case "truncated": return this.isDark ? "#4a4747" : "#cfcaca";
      case "kernel": return this.colour(200 + (seed % 5) * 5, 60, 79);
      case "guessed": return this.colour(275, 60, 84);
      case "unchecked": return this.colour(315, 50, 84);
      case "finished": return this.colour(150, 42, 77);
      case "inferred": return this.colour(85, 46, 77);
      default: return this.colour(22 + (seed % 11) * 2.5, 82, 76 + ((seed >> 4) % 4) * 3);
    }
  }

  /** Red for more than in an earlier profile, blue for less, grey if nothing has changed. As in SVGStyle.swift. */
  change(total, old) {
    const step = Math.round((8 * (total - old)) / (Math.max(total, old) || 1)), strength = Math.abs(step);
    return this.colour(step < 0 ? 215 : 8, 10 * strength, 90 - 4 * strength);
  }

  /** What is drawn over the fill; null for nothing. */
  pattern(context, kind) {
    const draw = Colours.strokes[kind];
    if (!draw) return null;
    if (!this.patterns.has(kind)) {
      const tile = document.createElement("canvas");
      const scale = tile.width = tile.height = 8 * (window.devicePixelRatio || 1);
      const brush = tile.getContext("2d");
      brush.scale(scale / 8, scale / 8);
      brush.strokeStyle = brush.fillStyle = this.isDark ? "rgb(255 255 255 / 22%)" : "rgb(0 0 0 / 17%)";
      brush.lineWidth = 1.2;
      brush.beginPath();
      draw(brush);
      brush.stroke();
      const pattern = context.createPattern(tile, "repeat");
      pattern.setTransform(new DOMMatrix().scale(8 / scale));
      this.patterns.set(kind, pattern);
    }
    return this.patterns.get(kind);
  }

  /** A number for a module's path: djb2. */
  static seed(module) {
    let hash = 5381;
    const path = module ? module.path.slice(-64) : "";
    for (let i = 0; i < path.length; i++) hash = (hash * 33 + path.charCodeAt(i)) >>> 0;
    return hash;
  }
}

/** In the legend's order. */
Colours.kinds = {
  user: "user code, a shade per module",
  inlined: "inlined",
  kernel: "kernel",
  guessed: "guessed",
  unchecked: "guessed, unchecked",
  finished: "found in user space",
  inferred: "found by an inferred rule",
  truncated: "truncated: callers missing",
};

const line = (brush, x0, y0, x1, y1) => {
  brush.moveTo(x0, y0);
  brush.lineTo(x1, y1);
};

/** On tiles of 8 × 8. */
Colours.strokes = {
  inlined(brush) { line(brush, 0, 7.5, 4, 7.5); },
  guessed(brush) {
    for (const shift of [-8, 0, 8]) line(brush, shift, 8, shift + 8, 0);
  },
  unchecked(brush) {
    for (const shift of [-8, 0, 8]) {
      line(brush, shift, 8, shift + 8, 0);
      line(brush, shift, 0, shift + 8, 8);
    }
  },
  finished(brush) {
    for (const [x, y] of [[2, 2], [6, 6]]) {
      brush.moveTo(x + 0.4, y);
      brush.arc(x, y, 0.4, 0, 7);
    }
  },
  inferred(brush) {
    for (const x of [2, 6]) line(brush, x, 0, x, 8);
  },
  truncated(brush) {
    brush.lineWidth = 3;
    for (const shift of [-8, 0, 8]) line(brush, shift, 0, shift + 8, 8);
  },
};
