/** What to search for: text, in any case; or a regular expression between slashes. */
class Pattern {
  /** Throws a SyntaxError for a regular expression that isn't one. */
  constructor(text) {
    const expression = /^\/(.+)\/(i?)$/.exec(text);
    if (expression) {
      const compiled = new RegExp(expression[1], expression[2]);
      this.matches = (name) => compiled.test(name);
    } else {
      const lower = text.toLowerCase();
      this.matches = (name) => name.toLowerCase().includes(lower);
    }
  }
}

/** Labels that match, and the share of the stacks that have one. */
class Matches {
  /** `isMatch` says it of a label's number and its name. */
  constructor(labels, groups, isMatch) {
    this.labels = labels;
    this.groups = groups;
    const count = labels.count + (groups ? groups.names.length : 0);
    this.labelMatches = new Uint8Array(count);
    this.labelCount = 0;
    for (let label = 0; label < count; label++) {
      const name = label < labels.count ? labels.name(label) : groups.names[label - labels.count];
      if (!isMatch(label, name)) continue;
      this.labelMatches[label] = 1;
      if (label < labels.count) this.labelCount++;
    }
    this.findStacks();
  }

  /** Finds the stacks with a match. */
  findStacks() {
    const { profile, ofNodes } = this.labels, { parents } = profile, { labelMatches } = this;
    const reached = new Uint8Array(parents.length);
    for (let node = 1; node < reached.length; node++) {
      reached[node] = reached[parents[node]] | labelMatches[ofNodes[node]];
    }
    this.stackMatches = new Uint8Array(profile.stackCount);
    for (let stack = 0; stack < profile.stackCount; stack++) {
      this.stackMatches[stack] = reached[profile.stackNodes[stack]];
      if (this.groups) {
        this.stackMatches[stack] |=
          this.labelMatches[this.labels.count + this.groups.ofContext[profile.stackContexts[stack]]];
      }
    }
  }

  has(label) { return this.labelMatches[label] === 1; }

  /** The weight of those of the chosen stacks that have a match. */
  weight(chosen) {
    let sum = 0;
    for (let stack = 0; stack < chosen.length; stack++) {
      if (chosen[stack] & this.stackMatches[stack]) sum += this.labels.profile.stackWeights[stack];
    }
    return sum;
  }
}
