/** How stacks can be grouped: what of a context their group is. */
const groupings = {
  none: null,
  thread: (context) => context.thread || "[no name]",
  process: (context) => (context.process ? `process ${context.process}` : "[all processes]"),
  cgroup: (context) => context.cgroup || "[unknown cgroup]",
  state: (context) => (context.state === State.waiting ? "waiting (off-CPU)" : "running (on-CPU)"),
  end: (context) => context.end || "[unknown end]",
};

/** The groups of a profile's stacks. */
class Groups {
  constructor(profile, key) {
    this.names = [];
    this.ofContext = new Uint32Array(profile.contexts.length);
    const numbers = new Map();
    profile.contexts.forEach((context, index) => {
      const name = key(context);
      if (!numbers.has(name)) {
        numbers.set(name, this.names.length);
        this.names.push(name);
      }
      this.ofContext[index] = numbers.get(name);
    });
  }
}

/** A number, but 0, for each pair of numbers. A Map of a million pairs takes seconds. */
class PairNumbers {
  constructor(count) {
    this.resize(1 << Math.ceil(Math.log2(2 * count + 16)));
    this.count = 0;
  }

  resize(size) {
    this.mask = size - 1;
    [this.firsts, this.seconds, this.numbers] = [new Uint32Array(size), new Uint32Array(size), new Uint32Array(size)];
  }

  slot(first, second) {
    let slot = (Math.imul(first, 0x9e3779b1) ^ Math.imul(second + 1, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.mask;
    while (this.numbers[slot] !== 0 && (this.firsts[slot] !== first || this.seconds[slot] !== second)) {
      slot = (slot + 1) & this.mask;
    }
    return slot;
  }

  /** 0 if the pair has none. */
  numberOf(first, second) { return this.numbers[this.slot(first, second)]; }

  add(first, second, number) {
    if (2 * ++this.count > this.mask) this.grow();
    const slot = this.slot(first, second);
    [this.firsts[slot], this.seconds[slot], this.numbers[slot]] = [first, second, number];
  }

  grow() {
    const { firsts, seconds, numbers } = this;
    this.resize(2 * numbers.length);
    for (let i = 0; i < numbers.length; i++) {
      if (numbers[i] === 0) continue;
      const slot = this.slot(firsts[i], seconds[i]);
      [this.firsts[slot], this.seconds[slot], this.numbers[slot]] = [firsts[i], seconds[i], numbers[i]];
    }
  }
}

/**
 * The tree of calls, from the outermost frames: boxes with children. Box 0 is all stacks.
 *
 * A box's label is of `labels`; if stacks are grouped, the labels of groups come after those.
 */
class CallTree {
  /** `chosen` says which stacks, `groups` is null if they aren't grouped. */
  constructor(profile, labels, chosen, groups) {
    this.profile = profile;
    this.labels = labels;
    this.chosen = chosen;
    this.groups = groups;
    if (groups || labels.byModule) this.build(); else this.take();
    this.sum();
    this.listChildren();
  }

  /** The boxes are the profile's nodes. */
  take() {
    this.parents = this.profile.parents;
    this.boxLabels = this.profile.nodeFunctions;
    this.stackBoxes = this.profile.stackNodes;
  }

  /** Makes the boxes of one group after the other. */
  build() {
    const { profile, labels, groups } = this;
    const parents = [0], boxLabels = [0];
    const add = (parent, label) => {
      parents.push(parent);
      boxLabels.push(label);
      return parents.length - 1;
    };
    // A box by its parent and label, by module: frames of a module that follow each other are one box.
    const known = labels.byModule ? new PairNumbers(profile.parents.length) : null;
    const boxes = new Uint32Array(profile.parents.length), madeFor = new Int32Array(profile.parents.length).fill(-1);
    this.stackBoxes = new Uint32Array(profile.stackCount);
    const path = [];
    for (const [group, stacks] of this.stacksByGroup().entries()) {
      if (!stacks) continue;
      boxes[0] = groups ? add(0, labels.count + group) : 0;
      madeFor[0] = group;
      for (const stack of stacks) {
        let node = profile.stackNodes[stack];
        for (; madeFor[node] !== group; node = profile.parents[node]) path.push(node);
        let box = boxes[node];
        while (path.length > 0) {
          node = path.pop();
          const label = labels.of(profile.nodeFunctions[node]);
          if (!labels.byModule) {
            box = add(box, label);
          } else if (box === boxes[0] || boxLabels[box] !== label) {
            const parent = box;
            box = known.numberOf(parent, label);
            if (box === 0) known.add(parent, label, box = add(parent, label));
          }
          boxes[node] = box;
          madeFor[node] = group;
        }
        this.stackBoxes[stack] = box;
      }
    }
    this.parents = Uint32Array.from(parents);
    this.boxLabels = Uint32Array.from(boxLabels);
  }

  stacksByGroup() {
    const lists = [];
    for (let stack = 0; stack < this.chosen.length; stack++) {
      if (!this.chosen[stack]) continue;
      const group = this.groups ? this.groups.ofContext[this.profile.stackContexts[stack]] : 0;
      (lists[group] ??= []).push(stack);
    }
    return lists;
  }

  sum() {
    const { profile, chosen, parents, stackBoxes } = this;
    const own = this.own = new Float64Array(parents.length);
    const waiting = this.waiting = new Float64Array(parents.length);
    const old = this.old = new Float64Array(parents.length);
    for (let stack = 0; stack < chosen.length; stack++) {
      if (!chosen[stack]) continue;
      own[stackBoxes[stack]] += profile.stackWeights[stack];
      if (profile.oldWeights) old[stackBoxes[stack]] += profile.oldWeights[stack];
      if (profile.contexts[profile.stackContexts[stack]].state === State.waiting) {
        waiting[stackBoxes[stack]] += profile.stackWeights[stack];
      }
    }
    const total = this.total = own.slice();
    for (let box = parents.length - 1; box > 0; box--) {
      total[parents[box]] += total[box];
      waiting[parents[box]] += waiting[box];
      old[parents[box]] += old[box];
    }
  }

  listChildren() {
    const { parents } = this, count = parents.length;
    const starts = this.childStarts = new Uint32Array(count + 1);
    for (let box = 1; box < count; box++) starts[parents[box] + 1]++;
    for (let box = 0; box < count; box++) starts[box + 1] += starts[box];
    const next = starts.slice(0, count);
    this.childList = new Uint32Array(count - 1);
    for (let box = 1; box < count; box++) this.childList[next[parents[box]]++] = box;
  }

  /** Those with weight, in no order. */
  children(box) {
    const children = [];
    for (let i = this.childStarts[box]; i < this.childStarts[box + 1]; i++) {
      if (this.total[this.childList[i]] > 0) children.push(this.childList[i]);
    }
    return children;
  }

  /** For each stack, 1 if it is one of the box. */
  stacksOf(box) {
    if (box === 0) return this.chosen;
    const below = new Uint8Array(this.parents.length);
    below[box] = 1;
    for (let other = box + 1; other < below.length; other++) below[other] |= below[this.parents[other]];
    return this.chosen.map((isChosen, stack) => isChosen & below[this.stackBoxes[stack]]);
  }

  isGroup(box) { return box > 0 && this.boxLabels[box] >= this.labels.count; }

  name(box) {
    if (box === 0) return "all";
    if (this.isGroup(box)) return this.groups.names[this.boxLabels[box] - this.labels.count];
    return this.labels.name(this.boxLabels[box]);
  }
}
