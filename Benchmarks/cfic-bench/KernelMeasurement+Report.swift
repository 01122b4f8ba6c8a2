import CUnwindTable
import Symbols

extension KernelMeasurement {
    /// The median in nanoseconds.
    private func nanoseconds(_ samples: [Double]?) -> Double? { samples?.median.map { $0 * 1e9 } }

    private var perFrame: Double? {
        framesOfStack > 0 ? stack.median.map { $0 * 1e9 / Double(framesOfStack) } : nil
    }

    private var copiedPerSecond: Double? { copying.median.map { Double(bytesCopied) / 1e9 / $0 } }

    private var mostInstructions: Double? {
        let counts = programs.compactMap(\.instructions)
        return counts.count < programs.count ? nil : counts.max().map(Double.init)
    }

    var bars: [Bar] {
        [
            Bar(name: "kernel lookup, 64 pcs", unit: "ns", limit: 10, value: nanoseconds(lookups.overlapping[.few])),
            Bar(
                name: "kernel lookup, 4,096 pcs", unit: "ns", limit: 20,
                value: nanoseconds(lookups.overlapping[.most])),
            Bar(name: "kernel walk", unit: "ns per frame", limit: 60, value: perFrame),
            Bar(
                name: "kernel walk of a 50-frame stack", unit: "us", limit: 4,
                value: framesOfStack < 50 ? nil : stack.median.map { $0 * 1e6 }),
            Bar(name: "copying tables in", unit: "GB/s", limit: 1, isAtLeast: true, value: copiedPerSecond),
            Bar(
                name: "a process with \(images) images, tables in the store", unit: "ms", limit: 20,
                value: fromStore.median.map { $0 * 1e3 }),
            Bar(
                name: "a process with \(images) images, tables loaded", unit: "ms", limit: 2,
                value: loaded.median.map { $0 * 1e3 }),
            Bar(
                name: "kernel memory in use / bytes of tables", unit: "times", limit: 1.05,
                value: tableBytes > 0 ? Double(usedBytes) / Double(tableBytes) : nil),
            Bar(
                name: "kernel memory except one element / bytes of tables", unit: "times", limit: 1.05,
                value: tableBytes > 0 ? Double(mappedBytes - Int(CFIC_ELEMENT_SIZE)) / Double(tableBytes) : nil),
            Bar(name: "instructions to verify a program", unit: "at most", limit: 60_000, value: mostInstructions),
        ]
    }

    var text: String {
        var table = TextTable(["Kernel programs, medians", "", ""], left: [0])
        for addresses in LookupTimes.Addresses.allCases {
            table.add([
                "  lookup in \(self.table), \(addresses.text)", decimal(nanoseconds(lookups.overlapping[addresses])),
                "ns",
            ])
            table.add([
                "  the same, each waiting for the previous", decimal(nanoseconds(lookups.waiting[addresses])), "ns",
            ])
        }
        table.add(["  walk of \(framesOfStack) frames", decimal(stack.median.map { $0 * 1e6 }, 2), "us"])
        table.add(["  a frame of it", decimal(perFrame), "ns"])
        table.add(["  copying a table in", decimal(copiedPerSecond, 2), "GB/s"])
        table.add(["  a process with \(images) images, tables in the store", milliseconds(fromStore.median), "ms"])
        table.add(["  a process with \(images) images, tables loaded", milliseconds(loaded.median), "ms"])
        table.add(["  their tables, as files", "\(tableBytes)", "bytes"])
        table.add(["  kernel memory in use", "\(usedBytes)", "bytes"])
        table.add(["  kernel memory", "\(mappedBytes)", "bytes"])
        for program in programs {
            table.add(["  verifying \(program.name)", program.instructions.map { "\($0)" } ?? "-", "instructions"])
        }
        return table.text
    }

    var json: JSON {
        .object([
            ("table", .string(table)), ("lookups", lookups.json),
            ("walk", .number(stack.median)),
            ("walkedFrames", .integer(framesOfStack)), ("copying", .number(copying.median)),
            ("bytesCopied", .integer(bytesCopied)), ("images", .integer(images)),
            ("processFromStore", .number(fromStore.median)), ("processLoaded", .number(loaded.median)),
            ("tableBytes", .integer(tableBytes)), ("usedBytes", .integer(usedBytes)),
            ("mappedBytes", .integer(mappedBytes)),
            ("instructions", .object(programs.map { ($0.name, $0.instructions.map { .integer($0) } ?? .null) })),
        ])
    }
}
