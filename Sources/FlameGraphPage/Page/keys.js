/** The graph by keyboard: a box has the focus, which arrows move. */
class Keys {
  /** `actions`: zoom(box), zoomOut(), focus(box). */
  constructor(graph, element, actions) {
    this.graph = graph;
    this.actions = actions;
    element.addEventListener("keydown", (event) => this.press(event));
    element.addEventListener("focus", () => {
      if (graph.focused === null) actions.focus(graph.zoomed);
    });
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { graph, actions } = this, box = graph.focused ?? graph.zoomed;
    const [deeper, outer] = graph.growsUp ? ["ArrowUp", "ArrowDown"] : ["ArrowDown", "ArrowUp"];
    switch (event.key) {
      case deeper: this.move(this.firstChild(box)); break;
      case outer: this.move(box === 0 ? null : graph.tree.parents[box]); break;
      case "ArrowLeft": this.move(this.neighbour(box, -1)); break;
      case "ArrowRight": this.move(this.neighbour(box, 1)); break;
      case "Home": actions.zoom(0); break;
      case "Enter": case " ": actions.zoom(box); break;
      case "Backspace": actions.zoomOut(); break;
      default: return;
    }
    event.preventDefault();
  }

  move(box) { if (box !== null && box !== undefined) this.actions.focus(box); }

  row(box) { return this.graph.rows[this.graph.path(box).length - 1]; }

  /** The first of the box's children that is wide enough. */
  firstChild(box) {
    const row = this.graph.rows[this.graph.path(box).length];
    return row?.boxes.find((child) => child > 0 && this.graph.tree.parents[child] === box);
  }

  /** The next box in the row, in a direction. */
  neighbour(box, direction) {
    const { boxes } = this.row(box) ?? { boxes: [] };
    for (let i = boxes.indexOf(box) + direction; i >= 0 && i < boxes.length; i += direction) {
      if (boxes[i] >= 0) return boxes[i];
    }
    return null;
  }
}
