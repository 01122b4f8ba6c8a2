import CallFrameInfo
import Inputs
import LinearEvaluation
import TableBuilder
import UnwindTable

/// Tests bytes as call frame sections. Their table must verify, agree with the linear evaluation of the same sections
/// at every address, and not depend on the number of threads.
@_cdecl("LLVMFuzzerTestOneInput")
public func testCallFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = CallFrameInput(InputBytes(start, count))
    defer { input.deallocate() }
    builders.test(input)
    return 0
}

nonisolated(unsafe) private var builders = Builders()

/// The builders keep their memory from one input to the next, like those of `cfic compile DIRECTORY`. Data left over
/// from one input must not affect the next.
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
            // No input is so large that this could happen.
            fatalError("no table: \(error)")
        }
        // Otherwise there is one chunk, regardless of the number of threads.
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
        // The linear evaluation always absorbs padding. Repeated sections, which only test threads, would take it a
        // hundred times as long and show nothing new.
        if input.flags.contains(.keepsGaps) || input.isRepeated { return }
        let linear = LinearEvaluation(input.sections, executable: input.executable, machine: input.machine)
        let differences = TableComparison(view, linear).differences
        if !differences.isEmpty { fatalError(differences.joined(separator: "\n")) }
    }
}
