import CallFrameInfo
import Inputs
import LinearEvaluation
import TableBuilder
import UnwindTable

/// Bytes as call frame sections. Their table must verify, say at every address what the linear evaluation of the same
/// sections says, and be the same whatever the number of threads.
@_cdecl("LLVMFuzzerTestOneInput")
public func testCallFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = CallFrameInput(InputBytes(start, count))
    defer { input.deallocate() }
    builders.test(input)
    return 0
}

nonisolated(unsafe) private var builders = Builders()

/// Builders keep their memory from one input to the next, as those of `cfic compile DIRECTORY` do: what one leaves must
/// not be seen by another.
private struct Builders: ~Copyable {
    private var one = TableBuilder()
    private var two = TableBuilder()

    mutating func test(_ input: CallFrameInput) {
        let table: UnsafeRawBufferPointer
        do {
            table = try Self.build(input, &one, threads: 1)
        } catch TableError.noFrames {
            let linear = LinearEvaluation(input.sections, executable: input.executable, machine: input.machine)
            if linear.coveredBytes != 0 { fatalError("no table, where FDEs cover \(linear.coveredBytes) bytes") }
            return
        } catch {
            // No input is that large.
            fatalError("no table: \(error)")
        }
        // Fewer FDEs are one chunk, whatever the number of threads.
        if input.isRepeated {
            guard let other = try? Self.build(input, &two, threads: 2), other.elementsEqual(table) else {
                fatalError("two threads make another table than one")
            }
        }
        compare(table, input)
    }

    private static func build(
        _ input: CallFrameInput, _ builder: inout TableBuilder, threads: Int
    ) throws -> UnsafeRawBufferPointer {
        let bytes = input.executable.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
        let source = TableSource(machine: input.machine, key: .buildID([1, 2, 3, 4]), size: 4096)
        return try builder.build(
            input.sections, executable: input.executable, executableBytes: bytes, source: source,
            options: TableOptions(keepsGaps: input.flags.contains(.keepsGaps)), threads: threads
        ).table
    }

    private func compare(_ table: UnsafeRawBufferPointer, _ input: CallFrameInput) {
        let view: TableView
        do {
            view = try TableVerifier.verify(table)
        } catch {
            fatalError("the table does not verify: \(error)")
        }
        // The linear evaluation absorbs padding. Of many repetitions it takes a hundred times as long as of one, which
        // says the same; they are there for the threads.
        if input.flags.contains(.keepsGaps) || input.isRepeated { return }
        let linear = LinearEvaluation(input.sections, executable: input.executable, machine: input.machine)
        let differences = TableComparison(view, linear).differences
        if !differences.isEmpty { fatalError(differences.joined(separator: "\n")) }
    }
}
