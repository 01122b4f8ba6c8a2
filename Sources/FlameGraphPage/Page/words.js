/** Numbers and frames in words. */
const digits = new Intl.NumberFormat("en");

const Words = {
  count: (number, noun) => `${digits.format(number)} ${noun}${number === 1 ? "" : "s"}`,

  /** A share: three digits are enough to compare, and the smallest is not 0. */
  percent(part, whole) {
    if (whole <= 0 || part <= 0) return "0 %";
    const percent = (100 * part) / whole;
    if (percent >= 99.95) return part === whole ? "100 %" : "99.9 %";
    if (percent < 0.01) return "< 0.01 %";
    return `${percent.toFixed(percent < 1 ? 2 : 1)} %`;
  },

  /** What part of the whole something was in an earlier profile, and the difference. */
  change(part, whole, oldPart, oldWhole) {
    const before = oldWhole > 0 ? (100 * oldPart) / oldWhole : 0, now = whole > 0 ? (100 * part) / whole : 0;
    return `before ${before.toFixed(2)} %: ${now < before ? "−" : "+"}${Math.abs(now - before).toFixed(2)} points`;
  },

  /** A weight in the profile's unit. */
  weight(profile, weight) {
    switch (profile.unit) {
      case "nanoseconds": return Words.time(weight);
      case "events": return Words.count(weight, "event");
      default: return Words.count(weight, "sample");
    }
  },

  time(nanoseconds) {
    for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
      if (nanoseconds >= size) return `${(nanoseconds / size).toPrecision(nanoseconds >= 1e12 ? 6 : 3)} ${unit}`;
    }
    return `${nanoseconds} ns`;
  },

  /** What was recorded. */
  facts(profile) {
    const facts = [Words.count(profile.samples, "sample"), `${profile.seconds.toFixed(1)} s`];
    if (profile.event) {
      facts.push(profile.event + (profile.period ? `, each of ${digits.format(profile.period)}`
        : profile.frequency ? `, ${digits.format(profile.frequency)} times a second` : ""));
    }
    if (profile.includesWaits) facts.push("waits");
    if (profile.lostSamples > 0) facts.push(`${Words.count(profile.lostSamples, "sample")} lost`);
    return facts.join(" · ");
  },

  marks(marks) {
    const words = [];
    if (marks & Mark.truncated) words.push("callers are missing: the outermost frame was not reached");
    if (marks & Mark.kernel) words.push("kernel");
    if (marks & Mark.inlined) words.push("inlined");
    if (marks & Mark.unchecked) words.push("guessed, and the guess could not be checked");
    else if (marks & Mark.guessed) words.push("guessed");
    if (marks & Mark.finished) words.push("found in user space");
    if (marks & Mark.inferred) words.push("found by a rule that was inferred from its callee's instructions");
    return words.join(", ");
  },

  lines(lines) {
    if (!lines || !lines.file) return "";
    if (!lines.first) return lines.file;
    return `${lines.file}:${lines.first}${lines.last > lines.first ? `–${lines.last}` : ""}`;
  },

  /** Names can be a megabyte long; nobody reads more than the beginning. */
  shortened(name, length) { return name.length > length ? `${name.slice(0, length)}…` : name; },
};
