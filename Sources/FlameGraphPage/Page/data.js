"use strict";

/** What is known of a function besides its name: bits, as in NamedProfile.Marks and FlameTree. */
const Mark = { kernel: 1, guessed: 2, unchecked: 4, finished: 8, inlined: 16, inferred: 64, truncated: 128 };

/** Which stacks: bits. */
const State = { running: 1, waiting: 2, all: 3 };

/** The page's profile: what FlameData.swift writes, in typed arrays. */
class Profile {
  constructor(text) {
    const data = JSON.parse(text);
    this.unit = data.unit;
    this.event = data.event;
    this.period = data.period;
    this.frequency = data.frequency;
    this.includesWaits = data.includesWaits;
    this.seconds = data.milliseconds / 1000;
    this.lostSamples = data.lostSamples;
    this.names = data.names;
    this.readModules(data.modules);
    this.readFunctions(data.functions);
    this.readNodes(data.nodes);
    this.readContexts(data.contexts);
    this.readStacks(data.stacks);
    /** The weights in an earlier profile, scaled to this one's total, if two are compared; else null. */
    this.oldWeights = data.old.length > 0 ? Float64Array.from(data.old) : null;
  }

  readModules(list) {
    this.modules = [];
    for (let i = 0; i < list.length; i += 2) {
      this.modules.push({ path: this.names[list[i]], buildID: this.names[list[i + 1]] });
    }
  }

  readFunctions(list) {
    const count = list.length / 6;
    this.functionNames = new Array(count);
    /** In `modules`, plus 1; 0 if not known. */
    this.functionModules = new Uint32Array(count);
    this.functionMarks = new Uint8Array(count);
    this.functionLines = new Array(count);
    for (let i = 0, at = 0; i < count; i++, at += 6) {
      this.functionMarks[i] = list[at + 2];
      this.functionNames[i] = list[at + 2] & Mark.truncated ? "[truncated]" : this.names[list[at]];
      this.functionModules[i] = list[at + 1];
      this.functionLines[i] = { file: this.names[list[at + 3]], first: list[at + 4], last: list[at + 5] };
    }
  }

  /** Nodes are in preorder: those below node `n` are `n + 1` to `ends[n] - 1`. */
  readNodes(list) {
    const count = list.length / 2 + 1;
    this.nodeFunctions = new Uint32Array(count);
    this.parents = new Uint32Array(count);
    this.ends = new Uint32Array(count);
    let previous = 0;
    for (let node = 1, at = 0; node < count; node++, at += 2) {
      let parent = previous;
      for (let up = list[at + 1]; up > 0; up--) {
        this.ends[parent] = node;
        parent = this.parents[parent];
      }
      this.nodeFunctions[node] = list[at];
      this.parents[node] = parent;
      previous = node;
    }
    for (let node = previous; node > 0; node = this.parents[node]) this.ends[node] = count;
    this.ends[0] = count;
  }

  readContexts(list) {
    this.contexts = [];
    for (let i = 0; i < list.length; i += 5) {
      this.contexts.push({
        process: list[i], thread: this.names[list[i + 1]], cgroup: this.names[list[i + 2]],
        end: this.names[list[i + 3]], state: list[i + 4] ? State.waiting : State.running,
      });
    }
  }

  readStacks(list) {
    const count = list.length / 4;
    this.stackCount = count;
    this.stackNodes = new Uint32Array(count);
    this.stackContexts = new Uint32Array(count);
    this.stackWeights = new Float64Array(count);
    this.samples = 0;
    this.total = 0;
    for (let i = 0, at = 0; i < count; i++, at += 4) {
      this.stackNodes[i] = list[at];
      this.stackContexts[i] = list[at + 1];
      this.samples += list[at + 2];
      this.stackWeights[i] = list[at + 3];
      this.total += list[at + 3];
    }
  }

  /** The states that stacks have, as bits of State. */
  get states() { return this.contexts.reduce((states, context) => states | context.state, 0); }

  /** The module of a function; undefined if it isn't known. */
  moduleOf(functionNumber) { return this.modules[this.functionModules[functionNumber] - 1]; }

  /** For each stack, 1 if it is in one of these states. */
  stacksIn(states) {
    const chosen = new Uint8Array(this.stackCount);
    for (let i = 0; i < chosen.length; i++) {
      chosen[i] = this.contexts[this.stackContexts[i]].state & states ? 1 : 0;
    }
    return chosen;
  }

  /** The weight of the chosen stacks that go through each node, or end there. */
  totals(chosen) {
    const totals = new Float64Array(this.parents.length);
    for (let i = 0; i < chosen.length; i++) {
      if (chosen[i]) totals[this.stackNodes[i]] += this.stackWeights[i];
    }
    for (let node = totals.length - 1; node > 0; node--) totals[this.parents[node]] += totals[node];
    return totals;
  }
}

/** What a box of the graph or a row of the table stands for: a function, or its module. */
class Labels {
  constructor(profile, byModule) {
    this.profile = profile;
    this.byModule = byModule;
    if (byModule) {
      this.count = profile.modules.length + 2;
      this.truncated = profile.modules.length + 1;
    } else {
      this.count = profile.functionNames.length;
    }
  }

  /** The label of each node; of the root, any. */
  get ofNodes() {
    if (!this.byModule) return this.profile.nodeFunctions;
    this.nodeLabels ??= this.profile.nodeFunctions.map((functionNumber) => this.of(functionNumber));
    return this.nodeLabels;
  }

  /** The label of a function: by module, 0 if that isn't known. */
  of(functionNumber) {
    if (!this.byModule) return functionNumber;
    if (this.profile.functionMarks[functionNumber] & Mark.truncated) return this.truncated;
    return this.profile.functionModules[functionNumber];
  }

  name(label) {
    if (!this.byModule) return this.profile.functionNames[label];
    if (label === this.truncated) return "[truncated]";
    return label === 0 ? "[unknown]" : this.profile.modules[label - 1].path;
  }

  module(label) {
    return this.byModule ? this.profile.modules[label - 1] : this.profile.moduleOf(label);
  }

  marks(label) {
    if (!this.byModule) return this.profile.functionMarks[label];
    if (label === this.truncated) return Mark.truncated;
    return label > 0 && this.profile.modules[label - 1].path.startsWith("[kernel") ? Mark.kernel : 0;
  }

  lines(label) { return this.byModule ? undefined : this.profile.functionLines[label]; }

  /** The share of a label in the chosen stacks: `own`, where it is innermost, and `total`, where it is at all. */
  sums(chosen) {
    const { profile, ofNodes } = this, { ends } = profile;
    const own = new Float64Array(this.count), total = new Float64Array(this.count);
    for (let i = 0; i < chosen.length; i++) {
      const node = profile.stackNodes[i];
      if (chosen[i] && node > 0) own[ofNodes[node]] += profile.stackWeights[i];
    }
    const totals = profile.totals(chosen);
    // How many frames of a label the current node is below: a recursive function counts once.
    const open = new Uint32Array(this.count);
    const path = [];
    for (let node = 1; node < totals.length; node++) {
      while (path.length > 0 && ends[path[path.length - 1]] <= node) open[ofNodes[path.pop()]]--;
      const label = ofNodes[node];
      if (open[label]++ === 0) total[label] += totals[node];
      path.push(node);
    }
    return { own, total };
  }
}
