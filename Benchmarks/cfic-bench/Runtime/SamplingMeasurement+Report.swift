import Symbols

extension SamplingMeasurement {
    private func cost(_ name: String, _ frequency: Int) -> Cost? {
        costs.first { $0.name == name && $0.frequency == frequency }
    }

    /// How much longer the program took than alone, in percent, by the medians.
    private func slower(_ busy: Busy?) -> Double? {
        guard let busy = busy?.cpu.median, let alone = alone.cpu.median else { return nil }
        return (busy / alone - 1) * 100
    }

    var bars: [Bar] {
        let everyone = "cfic profile -a"
        let slow = cost(everyone, 99), fast = cost("cfic profile -p", 4999)
        return [
            Bar(
                name: "cfic profile -a at 99 Hz, user space and BPF", unit: "% of one CPU", limit: 0.3,
                value: slow?.both),
            Bar(
                name: "user space at 4,999 Hz, stacks of 60 frames", unit: "us of CPU a sample", limit: 3,
                value: fast?.userPerSample),
            Bar(
                name: "the sampled program at 4,999 Hz", unit: "% slower (CPU time)", limit: 2,
                value: slower(slowed.first { $0.name == everyone })),
            Bar(
                name: "resident memory beside tables", unit: "MiB", limit: 60,
                value: slow?.memory.map { ($0.resident - $0.tables) / Double(1 << 20) }),
            Bar(
                name: "first stack by rules, \(Self.sleepers) processes, warm cache", unit: "ms", limit: 300,
                value: first.median.map { $0 * 1e3 }),
        ]
    }

    var text: String {
        var costs = TextTable(
            [
                "All CPUs busy", "Hz", "user space %", "BPF %", "user space us/sample", "BPF us/sample", "MiB",
                "of tables",
                "start: s", "CPU s",
            ], left: [0])
        for cost in self.costs {
            costs.add([
                "  \(cost.name)", "\(cost.frequency)", decimal(cost.user, 3), decimal(cost.kernel, 3),
                decimal(cost.userPerSample, 2), decimal(cost.kernelPerSample, 2), mebibytes(cost.memory?.resident),
                mebibytes(cost.memory?.tables), decimal(cost.start.wall, 2), decimal(cost.start.cpu, 2),
            ])
        }
        var slow = TextTable(
            ["The sampled program at 4,999 Hz, medians of \(alone.cpu.count)", "slower, CPU time %", "interrupted %"],
            left: [0])
        for busy in [alone] + slowed + [again] {
            slow.add([
                "  \(busy.name)", decimal(slower(busy)), decimal(busy.interrupted.median.map { $0 * 100 }, 2),
            ])
        }
        return [costs.text, slow.text].joined(separator: "\n\n")
    }

    var json: JSON {
        .object([
            (
                "costs",
                .array(
                    costs.map { cost in
                        .object([
                            ("name", .string(cost.name)), ("frequency", .integer(cost.frequency)),
                            ("userPercent", .number(cost.user)), ("bpfPercent", .number(cost.kernel)),
                            ("userMicrosecondsPerSample", .number(cost.userPerSample)),
                            ("bpfMicrosecondsPerSample", .number(cost.kernelPerSample)),
                            ("residentBytes", .number(cost.memory?.resident)),
                            ("tableBytes", .number(cost.memory?.tables)),
                            ("startSeconds", .number(cost.start.wall)), ("startCPU", .number(cost.start.cpu)),
                        ])
                    })
            ),
            (
                "slowDown",
                .array(
                    ([alone] + slowed + [again]).map { busy in
                        .object([
                            ("name", .string(busy.name)), ("slowerCPU", .number(slower(busy))),
                            ("interrupted", .number(busy.interrupted.median)),
                        ])
                    })
            ),
            ("firstStack", .number(first.median)),
        ])
    }
}
