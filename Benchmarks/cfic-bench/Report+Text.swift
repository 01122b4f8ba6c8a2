import Symbols

extension Report {
    /// The report as text.
    var text: String {
        var parts: [String] = []
        if let speed {
            parts += [builds(speed), processes(speed), memory(speed)]
        }
        parts += sizes.map(text)
        if let tree { parts.append(wholeTree(tree)) }
        if let kernel { parts.append(kernel.text) }
        if let sampling { parts.append(sampling.text) }
        if let runtime { parts.append(runtime.text) }
        if !skipped.isEmpty { parts.append((["Skipped"] + skipped.map { "  \($0)" }).joined(separator: "\n")) }
        if !failures.isEmpty { parts.append((["Failed"] + failures.map { "  \($0)" }).joined(separator: "\n")) }
        parts.append(verdicts)
        return parts.joined(separator: "\n\n")
    }

    private func builds(_ speed: SpeedMeasurement) -> String {
        var table = TextTable(
            [
                "In process, medians of \(rounds)", ".eh_frame MiB", "raw rows", "warm ns/row", "fastest",
                "cold ns/row",
                "C walk ns/row", "libdw ns/row", "warm/C walk", "libdw/warm", "2 threads",
            ], left: [0])
        for file in speed.files {
            let perRow = { (seconds: Double?) in decimal(seconds.map { $0 * 1e9 / Double(file.rawRows) }) }
            table.add([
                file.input.name, mebibytes(Double(file.image.frameBytes)), "\(file.rawRows)", perRow(file.warm.median),
                perRow(file.warm.min()), perRow(file.cold.median), perRow(file.interpretation.median),
                perRow(file.warmWalk.median),
                decimal(times(file.warm.median, file.interpretation.median), 2) + "x",
                decimal(times(file.warmWalk.median, file.warm.median)) + "x",
                decimal(times(file.wallOneThread.median, file.wallTwoThreads.median), 2) + "x",
            ])
        }
        return table.text
    }

    private func processes(_ speed: SpeedMeasurement) -> String {
        var table = TextTable(
            [
                "Whole process, CPU ms", "cfic compile", "libdw walk", "readelf -wF", "libdw/cfic", "readelf/cfic",
            ], left: [0])
        for file in speed.files {
            let compile = file.compile.median
            table.add([
                file.input.name, milliseconds(compile), milliseconds(file.walk.median),
                milliseconds(file.readelf.median), decimal(times(file.walk.median, compile)) + "x",
                decimal(times(file.readelf.median, compile)) + "x",
            ])
        }
        return """
            \(table.text)
              cfic compile of a small file: \(milliseconds(speed.firstCompile.median)) into an empty cache, \
            \(milliseconds(speed.start.median)) if its table is stored
            """
    }

    private func memory(_ speed: SpeedMeasurement) -> String {
        var table = TextTable(
            ["Memory and size", "peak MiB", "allowed MiB", "rows", "table bytes", "bytes/row"], left: [0])
        for file in speed.files {
            table.add([
                file.input.name, mebibytes(file.peakMemory.map(Double.init)), mebibytes(file.memoryLimit),
                "\(file.rows)", "\(file.tableBytes)", decimal(times(Double(file.tableBytes), Double(file.rows)), 3),
            ])
        }
        return table.text
    }

    private func text(_ size: SizeMeasurement) -> String {
        var table = TextTable(
            ["\(size.machine) tables of \(size.roots.joined(separator: " and "))", "bytes", "bytes/row", "share"],
            left: [0])
        for (name, bytes) in size.parts.named + [("all", size.bytes)] {
            table.add([
                "  \(name)", "\(bytes)", decimal(times(Double(bytes), Double(size.rows)), 3),
                decimal(times(Double(bytes) * 100, Double(size.bytes))) + " %",
            ])
        }
        let median = decimal(size.bytesPerRowByFile.median, 3)
        let skips = size.skipped.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return """
            \(table.text)
              \(size.tables) tables, \(size.rows) rows of \(size.rawRows) raw ones; \(size.small.tables) of them have fewer \
            than 500 rows, with \(decimal(size.bytesPerRowOfSmall, 3)) bytes/row
              bytes/row of a file: mean \(decimal(size.meanBytesPerRow, 3)), median \(median)
              without a table: \((["\(size.duplicates) duplicates"] + skips).joined(separator: ", "))
            """
    }

    private func wholeTree(_ tree: TreeMeasurement) -> String {
        var table = TextTable(
            [
                "cfic compile \(tree.roots.joined(separator: " "))", "wall s", "CPU s", "MB/s of ELF", "MB read",
                "peak MiB", "exit code",
            ], left: [0])
        for (name, cost) in [("  empty cache", tree.empty), ("  warm cache", tree.warm)] {
            table.add([
                name, decimal(cost.wall, 2), decimal(cost.cpu, 2), decimal(Double(tree.bytes) / 1e6 / cost.wall),
                decimal(cost.bytesRead.map { Double($0) / 1e6 }), mebibytes(Double(cost.peakMemory)),
                "\(cost.exitCode)",
            ])
        }
        return "\(table.text)\n  \(tree.files) ELF files of \(decimal(Double(tree.bytes) / 1e6, 0)) MB"
    }

    private var verdicts: String {
        var table = TextTable(["Bars", "bar", "aim", "measured", "", "verdict"], left: [0])
        for bar in bars {
            table.add([
                bar.name, (bar.isAtLeast ? ">= " : "<= ") + decimal(bar.limit, bar.limit < 10 ? 2 : 1),
                decimal(bar.aim),
                decimal(bar.value, 2), bar.unit, bar.verdict.rawValue,
            ])
        }
        return table.text
    }
}

extension TextTable {
    var text: String { lines.joined(separator: "\n") }
}
