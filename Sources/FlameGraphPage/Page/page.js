/** Connects the page's parts. */
class Page {
  constructor(profile) {
    this.profile = profile;
    this.element = (id) => document.getElementById(id);
    this.element("facts").textContent = Words.facts(profile);
    if (profile.total <= 0) {
      for (const id of ["main", "controls"]) this.element(id).hidden = true;
      this.element("empty").hidden = false;
      return;
    }
    this.graph = new Graph(this.element("scroller"), this.element("sizer"), this.element("graph"));
    this.graph.onDrawn = () => {
      this.graph.onDrawn = null;
      performance.mark("drawn");
    };
    this.table = new FunctionTable(this.element("table"), this.element("more"), (label) => this.choose(label));
    this.keys = new Keys(this.graph, this.element("graph"), {
      zoom: (box) => this.zoom(box), zoomOut: () => this.zoomOut(), focus: (box) => this.focus(box),
    });
    this.offerWhatDiffers();
    this.listen();
    this.setDark(matchMedia("(prefers-color-scheme: dark)").matches);
    this.show();
  }

  /** Hides choices that change nothing in this profile. */
  offerWhatDiffers() {
    const { profile } = this;
    for (const option of [...this.element("group").options]) {
      const key = groupings[option.value];
      if (key && new Groups(profile, key).names.length < 2) option.remove();
    }
    if (this.element("group").options.length < 2) this.element("group").parentElement.hidden = true;
    this.element("states").hidden = profile.states !== State.all;
    this.graph.marksWaiting = profile.states === State.all;
  }

  listen() {
    for (const id of ["view", "order", "boxes", "group", "state"]) {
      this.element(id).addEventListener("change", () => this.show());
    }
    this.element("controls").addEventListener("submit", (event) => event.preventDefault());
    const search = this.element("search");
    search.addEventListener("input", () => this.search());
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.element("graph").focus();
    });
    this.element("theme").addEventListener("click", () => this.setDark(!this.isDark));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => this.setDark(event.matches));
    this.element("help-button").addEventListener("click", () => this.element("help").showModal());
    document.addEventListener("keydown", (event) => this.press(event));
    this.listenToPointer();
  }

  listenToPointer() {
    const canvas = this.element("graph"), { graph } = this;
    const boxAt = (event) => graph.boxAt(event.offsetX, event.offsetY);
    canvas.addEventListener("pointermove", (event) => this.hover(boxAt(event), event));
    canvas.addEventListener("pointerleave", () => this.hover(null));
    canvas.addEventListener("click", (event) => {
      const box = boxAt(event);
      if (box !== null) this.zoom(box);
    });
  }

  press(event) {
    if (this.element("help").open || event.ctrlKey || event.altKey || event.metaKey) return;
    const isTyping = event.target === this.element("search");
    if (event.key === "Escape") {
      if (this.element("search").value) this.clearSearch();
      else if (this.table.chosen !== null) this.table.choose(null);
      else if (this.graph.zoomed !== 0) this.zoomOut();
    } else if (event.key === "/" && !isTyping) {
      this.element("search").focus();
      this.element("search").select();
    } else if (event.key === "?" && !isTyping) {
      this.element("help").showModal();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Shows the profile as the controls say. */
  show() {
    const { profile } = this, value = (id) => this.element(id).value;
    const isCallers = value("view") === "callers", byModule = value("boxes") === "modules";
    this.element("group").disabled = isCallers;
    const key = isCallers ? null : groupings[value("group")];
    this.labels = new Labels(profile, byModule);
    this.groups = key ? new Groups(profile, key) : null;
    const chosen = profile.stacksIn(Number(value("state")));
    const tree = isCallers ? new CallerTree(profile, this.labels, chosen)
      : new CallTree(profile, this.labels, chosen, this.groups);
    this.history = [];
    this.table.chosen = null;
    this.graph.seeds = [];
    this.graph.show(tree, value("view") === "flame", value("order") === "name");
    this.element("column").textContent = byModule ? "Module" : "Function";
    this.zoomChanged();
    this.search();
  }

  zoom(box) {
    if (box !== this.graph.zoomed) this.history.push(this.graph.zoomed);
    this.graph.zoom(box);
    this.zoomChanged();
    this.focus(box);
  }

  zoomOut() {
    this.graph.zoom(this.history.pop() ?? 0);
    this.zoomChanged();
    this.focus(this.graph.zoomed);
  }

  zoomChanged() {
    this.element("tip").hidden = true;
    const { graph, profile } = this, { tree } = graph, box = graph.zoomed;
    this.zoomStacks = tree.stacksOf(box);
    this.table.show(this.labels, this.labels.sums(this.zoomStacks), tree.total[box]);
    const things = this.labels.byModule ? "module" : "function";
    this.element("caption").textContent = `${Words.count(this.table.order.length, things)}`
      + `${box === 0 ? "" : ` in ${Words.shortened(tree.name(box), 60)}`}, ${Words.weight(profile, tree.total[box])}`;
    this.element("details").replaceChildren(...this.description(box));
    this.showPath();
    this.tellMatches();
  }

  /** The zoomed box and what it is in, as buttons; of a deep path, the ends. */
  showPath() {
    const path = this.graph.path(this.graph.zoomed);
    const items = path.map((box) => this.pathItem(box));
    if (path.length > 6) {
      const left = document.createElement("li");
      left.textContent = `… ${path.length - 5} more …`;
      items.splice(2, path.length - 5, left);
    }
    this.element("path").replaceChildren(...items);
  }

  pathItem(box) {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = Words.shortened(this.graph.tree.name(box), 60);
    if (box === this.graph.zoomed) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => this.zoom(box));
    item.append(button);
    return item;
  }

  search() {
    const text = this.element("search").value;
    this.element("search").removeAttribute("aria-invalid");
    if (text) this.table.chosen = null;
    try {
      const pattern = text ? new Pattern(text) : null;
      this.setMatches(pattern && new Matches(this.labels, this.groups, (_, name) => pattern.matches(name)));
      this.table.filter(this.matches);
    } catch (problem) {
      if (!(problem instanceof SyntaxError)) throw problem;
      this.setMatches(null);
      this.table.filter(null);
      this.element("search").setAttribute("aria-invalid", "true");
      this.element("result").textContent = problem.message;
    }
  }

  clearSearch() {
    this.element("search").value = "";
    this.search();
  }

  /** Shows where a function of the table is; null for none. */
  choose(label) {
    if (this.element("search").value) {
      this.element("search").value = "";
      this.table.filter(null);
    }
    this.setMatches(label === null ? null : new Matches(this.labels, null, (other) => other === label));
  }

  setMatches(matches) {
    this.matches = this.graph.matches = matches;
    this.tellMatches();
    this.graph.drawSoon();
  }

  tellMatches() {
    const { matches, graph, profile } = this, { tree } = graph;
    const parts = [];
    if (matches) {
      const weight = matches.weight(tree.chosen);
      parts.push(`Matches: ${Words.percent(weight, tree.total[0])} of all, ${Words.weight(profile, weight)}`);
      if (graph.zoomed !== 0) {
        const zoomed = matches.weight(this.zoomStacks);
        parts.push(`${Words.percent(zoomed, tree.total[graph.zoomed])} of what is zoomed to`);
      }
      const things = this.labels.byModule ? "module" : "function";
      parts.push(Words.count(matches.labelCount, things));
    }
    this.element("result").textContent = parts.join(" · ");
  }

  hover(box, event) {
    const { graph } = this, tip = this.element("tip");
    if (box !== graph.hovered) {
      graph.hovered = box;
      graph.drawSoon();
      if (box !== null) tip.replaceChildren(...this.description(box));
    }
    tip.hidden = box === null;
    if (box === null) return;
    const { width, height } = tip.getBoundingClientRect();
    const x = Math.min(event.clientX + 14, innerWidth - width - 8);
    const below = event.clientY + 18;
    tip.style.left = `${Math.max(x, 8)}px`;
    tip.style.top = `${below + height > innerHeight - 8 ? Math.max(event.clientY - height - 12, 8) : below}px`;
  }

  focus(box) {
    const { graph } = this;
    graph.focused = box;
    graph.scrollToBox(box);
    this.element("details").replaceChildren(...this.description(box));
    const level = graph.path(box).length - 1;
    const next = graph.tree instanceof CallerTree ? "caller" : "callee";
    this.element("spoken").textContent =
      `${this.facts(box).join(", ")}, level ${level}, ${Words.count(graph.children(box).length, next)}`;
  }

  /** The facts of a box, its name first. */
  facts(box) {
    const { graph, profile } = this, { tree } = graph;
    const facts = [Words.shortened(tree.name(box), 1000)];
    const isFrame = box !== 0 && !tree.isGroup(box);
    const label = tree.boxLabels[box];
    const whole = `${Words.weight(profile, tree.total[box])}, ${Words.percent(tree.total[box], tree.total[0])} of all`;
    facts.push(graph.zoomed === 0 || box === 0 ? whole
      : `${whole}, ${Words.percent(tree.total[box], tree.total[graph.zoomed])} of what is zoomed to`);
    if (isFrame) facts.push(`self ${this.weightAndShare(tree.own[box], tree.total[0])}`);
    if (profile.oldWeights) facts.push(Words.change(tree.total[box], tree.total[0], tree.old[box], tree.old[0]));
    if (graph.marksWaiting) facts.push(`${Words.percent(tree.waiting[box], tree.total[box])} of it waiting`);
    if (!isFrame) return facts;
    const module = this.labels.byModule ? undefined : this.labels.module(label);
    if (module) facts.push(module.path + (module.buildID ? ` (build id ${module.buildID})` : ""));
    facts.push(Words.lines(this.labels.lines(label)), Words.marks(this.labels.marks(label)));
    return facts.filter((fact) => fact);
  }

  weightAndShare(weight, whole) {
    return weight > 0 ? `${Words.weight(this.profile, weight)}, ${Words.percent(weight, whole)}` : "0 %";
  }

  description(box) {
    const [name, ...others] = this.facts(box);
    const heading = document.createElement("strong");
    heading.textContent = name;
    return [heading, ...others.map((fact) => {
      const part = document.createElement("span");
      part.textContent = Words.shortened(fact, 400);
      return part;
    })];
  }

  setDark(isDark) {
    this.isDark = isDark;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    this.element("theme").setAttribute("aria-pressed", String(isDark));
    this.graph.colours = new Colours(isDark);
    this.showLegend();
    this.graph.drawSoon();
  }

  /** What this profile has. */
  showLegend() {
    const { profile, graph } = this, kinds = new Set(Array.from(profile.functionMarks, Colours.kind));
    const isDifference = profile.oldWeights !== null;
    const changes = isDifference ? { "more than before": [1, 0], "as before": [1, 1], less: [0, 1] } : {};
    const changeItems = Object.entries(changes).map(([text, [total, old]]) => this.legendItem(text, (brush) => {
      brush.fillStyle = graph.colours.change(total, old);
      brush.fillRect(0, 0, 30, 14);
    }));
    // Where colours show changes, only patterns tell what frames are.
    const isShown = (kind) => kinds.has(kind) && (!isDifference || Colours.strokes[kind]);
    const items = Object.keys(Colours.kinds).filter(isShown).map((kind) => {
      return this.legendItem(Colours.kinds[kind], (brush) => {
        brush.fillStyle = isDifference ? graph.colours.change(1, 1) : graph.colours.fill(kind, 3);
        brush.fillRect(0, 0, 30, 14);
        brush.fillStyle = graph.colours.pattern(brush, kind) ?? "transparent";
        brush.fillRect(0, 0, 30, 14);
      });
    });
    if (graph.marksWaiting) {
      items.push(this.legendItem("the part of it that waits", (brush) => {
        brush.fillStyle = graph.colours.fill("user", 3);
        brush.fillRect(0, 0, 30, 14);
        brush.fillStyle = graph.colours.waiting;
        brush.fillRect(0, 11, 18, 3);
      }));
    }
    this.element("legend").replaceChildren(...changeItems, ...items);
  }

  legendItem(text, draw) {
    const item = document.createElement("li"), swatch = document.createElement("canvas");
    const ratio = window.devicePixelRatio || 1;
    [swatch.width, swatch.height] = [30 * ratio, 14 * ratio];
    swatch.setAttribute("aria-hidden", "true");
    const brush = swatch.getContext("2d");
    brush.scale(ratio, ratio);
    draw(brush);
    item.append(swatch, text);
    return item;
  }
}

const page = new Page(new Profile(document.getElementById("profile").textContent));
