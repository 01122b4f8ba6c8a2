import CZydis
import Search

/// Finds where functions begin in code that no call frame information covers: follows instructions from places that are
/// known, and from weaker ones only where nothing contradicts them.
///
/// It keeps no states. What it finds is confirmed by `FunctionAnalysis`.
struct StartSearch: ~Copyable {
    /// Instructions that may be decoded for places that turn out to be no code, for each byte of the gaps; and at least.
    private static var trialLimit: (perByte: Int, least: Int) { (16, 1 << 20) }
    /// How often aligned addresses are tried, because more code was reached in between.
    private static var alignmentRounds: Int { 4 }
    /// How often jump tables are followed, because more code was reached in between.
    private static var tableRounds: Int { 8 }

    var bytes: GapBytes
    /// The program, with what call frame information covers as its extents.
    let code: ProgramCode
    /// SVMAs of code, in ascending order.
    private let executable: [Range<UInt64>]
    /// Whether the program is loaded where its addresses say: instructions may hold addresses as numbers.
    let isFixed: Bool

    private(set) var starts: [UInt64: StartEvidence] = [:]
    /// SVMAs that were taken for starts, within instructions that others led to.
    private(set) var disputed: [UInt64] = []
    /// SVMAs that instructions in gaps refer to.
    private(set) var references: Set<UInt64> = []
    /// SVMAs in gaps to which covered code jumps, in ascending order.
    var jumpTargets: [UInt64] = []
    /// SVMAs of jump tables that were followed.
    private(set) var tables: [UInt64] = []

    /// SVMAs to be looked at, by evidence.
    private var waiting = [[UInt64]](repeating: [], count: StartEvidence.allCases.count)
    /// SVMAs of jumps whose targets aren't known yet.
    private var indirectJumps: [UInt64] = []
    /// Whether code in gaps loads elements of arrays that may be jump tables.
    private(set) var hasTables = false
    private var stack: [UInt64] = []
    private var trials: Int

    // Of the place that is being looked at.
    private var evidence = StartEvidence.known
    private var isTrial = false
    private var trail: [(byte: Int, length: Int)] = []
    private var calls: [UInt64] = []
    private var addresses: [UInt64] = []

    /// - Parameters:
    ///   - gaps: what isn't covered.
    ///   - code: the program, with covered ranges as its extents.
    ///   - executable: pieces of code, ascending.
    init(_ gaps: consuming GapBytes, _ code: ProgramCode, executable: [ProgramCode.Piece]) {
        trials = max(Self.trialLimit.least, gaps.byteCount * Self.trialLimit.perByte)
        bytes = gaps
        self.code = code
        self.executable = executable.map { $0.address..<$0.address &+ UInt64($0.bytes.count) }
        // A program that may be loaded anywhere is linked for address 0.
        isFixed = (executable.first?.address ?? 0) >= 0x10_0000
    }

    func isExecutable(_ address: UInt64) -> Bool {
        executable.lastIndex(atMost: address, by: \.lowerBound).map { executable[$0].contains(address) } ?? false
    }

    /// Notes an address at which a function may begin, if it is in a gap.
    mutating func add(_ address: UInt64, _ evidence: StartEvidence) {
        if bytes.gap(at: address) != nil { waiting[Int(evidence.rawValue)].append(address) }
    }

    // MARK: From strong evidence to weak

    /// Follows all that was added.
    ///
    /// - Parameters:
    ///   - usesAlignment: whether functions may begin at aligned addresses behind others.
    ///   - tables: follows jumps at SVMAs by `reach(_:from:)`.
    ///   - pointers: adds what data points to. Called once, when all that is reached otherwise was reached.
    mutating func run(
        usesAlignment: Bool, tables: (inout StartSearch, [UInt64]) -> Void, pointers: (inout StartSearch) -> Void
    ) {
        var hasPointers = false
        var (rounds, tableRounds) = (0, 0)
        while true {
            let evidence = StartEvidence.allCases.first { !waiting[Int($0.rawValue)].isEmpty }
            let hasJumps = hasTables && !indirectJumps.isEmpty && tableRounds < Self.tableRounds
            if let evidence, evidence.isCertain || !hasJumps {
                let found = waiting[Int(evidence.rawValue)].sorted()
                waiting[Int(evidence.rawValue)].removeAll()
                for address in found { consider(address, evidence) }
            } else if hasJumps {
                let jumps = indirectJumps.sorted()
                indirectJumps.removeAll()
                tables(&self, jumps)
                tableRounds += 1
            } else if !hasPointers {
                hasPointers = true
                pointers(&self)
            } else if usesAlignment, rounds < Self.alignmentRounds, tryAligned() {
                rounds += 1
            } else {
                return
            }
        }
    }

    private mutating func consider(_ address: UInt64, _ evidence: StartEvidence) {
        guard starts[address] == nil, let byte = byte(at: address), !isSignalReturn(at: address) else { return }
        if evidence.isCertain {
            starts[address] = evidence
            if !bytes.isStart(byte) { reach(address, evidence, isTrial: false) }
        } else if bytes.isRest(byte) {
            disputed.append(address)
        } else if bytes.isStart(byte) || !isPadding(at: address) && reach(address, evidence, isTrial: true) {
            starts[address] = evidence
        }
    }

    /// Follows all paths from an address to which a jump table of a function leads.
    ///
    /// - Parameter evidence: the function's.
    mutating func reach(_ address: UInt64, from evidence: StartEvidence) {
        guard let byte = byte(at: address), !bytes.isReached(byte) else { return }
        reach(address, evidence, isTrial: !evidence.isCertain)
    }

    /// Tries aligned addresses, with nothing but padding between them and other code. Whether that found any.
    private mutating func tryAligned() -> Bool {
        var hasFound = false
        for gap in bytes.gaps {
            let limit = gap.first + gap.range.count
            var byte = gap.first
            while byte < limit {
                byte = bytes.nextUnreached(from: byte, to: limit)
                let rest = bytes.nextReached(from: byte, to: limit)
                let offset = byte - gap.first
                let padding = leadingPadding(
                    UnsafeRawBufferPointer(rebasing: gap.bytes[offset..<offset + rest - byte]))
                byte += padding
                guard byte < rest else { continue }
                let address = gap.range.lowerBound + UInt64(byte - gap.first)
                if address & 15 == 0, starts[address] == nil, !isContinued(address), !isSignalReturn(at: address),
                    reach(address, .alignment, isTrial: true)
                {
                    starts[address] = .alignment
                    hasFound = true
                } else {
                    byte = rest
                }
            }
        }
        return hasFound
    }

    /// Whether covered code may continue at an address: it jumps there, or ends right in front of it.
    private func isContinued(_ address: UInt64) -> Bool {
        if code.extent(at: address &- 1) != nil { return true }
        return jumpTargets.lastIndex(atMost: address, by: { $0 }).map { jumpTargets[$0] == address } ?? false
    }

    /// The number of a byte in a gap.
    func byte(at address: UInt64) -> Int? {
        bytes.gap(at: address).map { bytes.gaps[$0].first + Int(address - bytes.gaps[$0].range.lowerBound) }
    }

    /// Whether it is what a signal handler returns to (mov rax, 15; syscall): nothing called it.
    private func isSignalReturn(at address: UInt64) -> Bool {
        let system: [UInt8] = [0x0f, 0, 0, 0, 0x0f, 0x05]
        return [[0x48, 0xc7, 0xc0], [0xb8]].contains { opcode in
            code.bytes(at: address, count: opcode.count + system.count).map { $0.starts(with: opcode + system) }
                ?? false
        }
    }

    private func isPadding(at address: UInt64) -> Bool {
        code.bytes(at: address, count: 1).map { leadingPadding($0.prefix(16)) > 0 } ?? true
    }

    private func leadingPadding(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
        leadingPadding(UnsafeRawBufferPointer(rebasing: bytes))
    }

    private func leadingPadding(_ bytes: UnsafeRawBufferPointer) -> Int { ProgramCode.leadingPadding(bytes) }

    // MARK: Following instructions

    /// Follows all paths from an address. As a trial it takes back all if what it reaches isn't code, or contradicts what is
    /// known.
    ///
    /// - Returns: whether it is code.
    @discardableResult
    private mutating func reach(_ address: UInt64, _ evidence: StartEvidence, isTrial: Bool) -> Bool {
        self.evidence = evidence
        self.isTrial = isTrial
        trail.removeAll(keepingCapacity: true)
        calls.removeAll(keepingCapacity: true)
        addresses.removeAll(keepingCapacity: true)
        let jumps = indirectJumps.count
        stack.removeAll(keepingCapacity: true)
        stack.append(address)
        while let next = stack.popLast() {
            guard follow(next) || !isTrial else {
                for (byte, length) in trail { bytes.clear(byte, length: length) }
                indirectJumps.removeLast(indirectJumps.count - jumps)
                return false
            }
        }
        let evidence = evidence.isCertain ? StartEvidence.call : evidence
        for target in calls where starts[target] == nil { waiting[Int(evidence.rawValue)].append(target) }
        for address in addresses {
            if starts[address] == nil { add(address, .address) }
            references.insert(address)
        }
        return true
    }

    /// Follows a path to its end. False if it isn't code.
    private mutating func follow(_ address: UInt64) -> Bool {
        guard let number = bytes.gap(at: address) else { return true }
        let gap = bytes.gaps[number]
        guard let base = gap.bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
        let size = gap.range.count
        var position = Int(address - gap.range.lowerBound)
        var instruction = Instruction()
        while position < size {
            let byte = gap.first + position
            if bytes.isStart(byte) { return true }
            // Zeros are padding, or data.
            if base[position] == 0, position + 1 == size || base[position + 1] == 0 { return false }
            if isTrial {
                trials -= 1
                guard trials > 0 else { return false }
            }
            cfic_x86_decode(base + position, min(size - position, 15), &instruction)
            if instruction.operation == CFIC_X86_UNDECODABLE { return false }
            let length = Int(instruction.length)
            if isTrial {
                guard !bytes.isContradicted(byte, length: length) else { return false }
                trail.append((byte, length))
            }
            bytes.set(byte, length: length)
            let next = gap.range.lowerBound + UInt64(position + length)
            switch step(instruction, base + position, next) {
            case .goesOn: position += length
            case .ends: return true
            case .isNoCode: return false
            }
        }
        return false
    }

    private enum Step {
        case goesOn
        case ends
        case isNoCode
    }

    private mutating func step(_ instruction: Instruction, _ bytes: UnsafePointer<UInt8>, _ next: UInt64) -> Step {
        let target = next &+ UInt64(bitPattern: instruction.immediate)
        switch instruction.operation {
        case CFIC_X86_RETURN, CFIC_X86_STOP: return .ends
        case CFIC_X86_CALL:
            if instruction.immediate == 0 { return .goesOn }
            if self.bytes.gap(at: target) != nil {
                calls.append(target)
            } else if !isExecutable(target) {
                return .isNoCode
            }
            return code.nonReturning.contains(target) ? .ends : .goesOn
        case CFIC_X86_BRANCH: return jump(to: target) ? .goesOn : .isNoCode
        case CFIC_X86_JUMP: return jump(to: target) ? .ends : .isNoCode
        case CFIC_X86_JUMP_REGISTER:
            indirectJumps.append(next - UInt64(instruction.length))
            return .ends
        case CFIC_X86_JUMP_MEMORY:
            guard instruction.index < 16 else { return .ends }
            hasTables = true
            indirectJumps.append(next - UInt64(instruction.length))
            followTable(instruction)
            return .ends
        case CFIC_X86_LOAD_SIGNED where instruction.index < 16, CFIC_X86_LOAD where instruction.index < 16:
            hasTables = true
            return .goesOn
        default:
            if let address = instruction.reference(bytes, next: next, isFixed: isFixed) { addresses.append(address) }
            return .goesOn
        }
    }

    /// False if there can't be such a jump.
    private mutating func jump(to target: UInt64) -> Bool {
        if bytes.gap(at: target) != nil {
            stack.append(target)
            return true
        }
        guard let extent = code.extent(at: target) else { return isExecutable(target) }
        // The middle of a function is where parts of it jump back to.
        return !isTrial || code.extents[extent].lowerBound == target
    }

    /// Follows a table of addresses, as far as they lead into the gap.
    private mutating func followTable(_ instruction: Instruction) {
        guard isFixed, instruction.base == UInt8(CFIC_X86_NO_REGISTER), instruction.scale == 8 else { return }
        let table = UInt64(bitPattern: instruction.displacement)
        guard let words = code.bytes(at: table, count: 8) else { return }
        for index in 0..<min(words.count / 8, Int(JumpTables.unboundedLimit)) {
            let target = words.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
            guard bytes.gap(at: target) != nil else { break }
            stack.append(target)
            tables.append(table &+ UInt64(index) * 8)
        }
    }
}
