/**
 * The tree of callers: the children of box 0 are the innermost frames, each box's children are its callers. Boxes are made
 * when they are looked at: all together they would be as many as all frames of all stacks.
 */
class CallerTree {
  constructor(profile, labels, chosen) {
    this.profile = profile;
    this.labels = labels;
    this.chosen = chosen;
    this.parents = [0];
    this.boxLabels = [0];
    this.total = [0];
    this.own = [0];
    this.waiting = [0];
    this.old = [0];
    /** By box: its stacks, and the node of each that the box stands for; the outermost one of several, by module. */
    this.stacks = [[]];
    this.nodes = [[]];
    this.childLists = [];
    for (let stack = 0; stack < chosen.length; stack++) {
      if (chosen[stack]) this.put(0, stack, profile.stackNodes[stack]);
    }
    this.own[0] = 0;
  }

  put(box, stack, node) {
    const { profile } = this, weight = profile.stackWeights[stack];
    this.stacks[box].push(stack);
    this.nodes[box].push(node);
    this.total[box] += weight;
    if (profile.oldWeights) this.old[box] += profile.oldWeights[stack];
    if (profile.contexts[profile.stackContexts[stack]].state === State.waiting) this.waiting[box] += weight;
  }

  children(box) { return this.childLists[box] ??= this.makeChildren(box); }

  makeChildren(box) {
    const { profile, labels } = this;
    const made = new Map();
    for (let i = 0; i < this.stacks[box].length; i++) {
      let node = this.nodes[box][i];
      if (box > 0) node = profile.parents[node];
      if (node === 0) continue;
      const label = labels.of(profile.nodeFunctions[node]);
      if (labels.byModule) node = this.outermostAlike(node, label);
      let child = made.get(label);
      if (child === undefined) {
        child = this.parents.length;
        made.set(label, child);
        this.parents.push(box);
        this.boxLabels.push(label);
        for (const list of [this.total, this.own, this.waiting, this.old]) list.push(0);
        this.stacks.push([]);
        this.nodes.push([]);
      }
      this.put(child, this.stacks[box][i], node);
    }
    // Only of the innermost frames is anything their own.
    if (box === 0) for (const child of made.values()) this.own[child] = this.total[child];
    return [...made.values()].filter((child) => this.total[child] > 0);
  }

  outermostAlike(node, label) {
    const { profile, labels } = this;
    for (let parent = profile.parents[node]; parent !== 0; parent = profile.parents[parent]) {
      if (labels.of(profile.nodeFunctions[parent]) !== label) break;
      node = parent;
    }
    return node;
  }

  /** For each stack, 1 if it is one of the box. */
  stacksOf(box) {
    if (box === 0) return this.chosen;
    const chosen = new Uint8Array(this.profile.stackCount);
    for (const stack of this.stacks[box]) chosen[stack] = 1;
    return chosen;
  }

  isGroup() { return false; }

  name(box) { return box === 0 ? "all" : this.labels.name(this.boxLabels[box]); }
}
