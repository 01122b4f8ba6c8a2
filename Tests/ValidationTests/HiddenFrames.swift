import CallFrameInfo
import ELF
import Inference
import Search
import TableCompiler

@testable import Validation

/// An image some of whose functions are taken to have no call frame information: what is inferred for them is compared with
/// it, instruction by instruction.
struct HiddenFrames {
    private(set) var hiddenBytes = 0
    private(set) var agreeingBytes = 0
    private(set) var disagreeingBytes = 0
    /// SVMAs and rules.
    private(set) var disagreements: [(address: UInt64, inferred: String, stated: String)] = []
    /// Rows that the analysis with known extents doesn't reach, and that have the register of the call frame information's
    /// CFA with another offset.
    private(set) var contradictions: [(address: UInt64, inferred: String, stated: String)] = []
    private(set) var inferred: UncoveredCode

    var agreement: Double { Double(agreeingBytes) / Double(max(1, agreeingBytes + disagreeingBytes)) }

    /// - Parameter isHidden: by the number of a function with call frame information.
    init(_ image: ELFImage, isHidden: (Int) -> Bool) throws {
        try openDecoder()
        let sources = try FrameSources(of: image, search: nil)
        let program = try UncoveredProgram(image)
        var frames = try StatedFrames(sources.sections, executable: try image.executableRanges()) { start in
            program.stubs.contains { $0.contains(start) }
        }
        let hidden = frames.frames.indices.filter(isHidden)
        let hiddenSet = Set(hidden)
        let all = frames.frames.map(\.range)
        inferred = program.inferred(covered: all.indices.filter { !hiddenSet.contains($0) }.map { all[$0] })
        let rows = inferred.functions.flatMap(\.rows)

        var code = ProgramCode(
            pieces: program.code + program.data, extents: all, nonReturning: program.nonReturning,
            callSites: try Self.callSites(image, frames))
        code.findEntries(data: program.data.map(\.bytes))
        let analysis = FunctionAnalysis(code)
        var verdicts: [UInt64: (length: Int, texts: (String, String)?)] = [:]
        var isDone = Set<Int>()
        var waiting = code.extents.indices.filter { code.isEntry[$0] }
        while let function = waiting.popLast() {
            guard isDone.insert(function).inserted else { continue }
            var found: [(UInt64, Int, (String, String)?)] = []
            let result = analysis.run(function) { visit in
                if visit.extent != function, code.isEntry[visit.extent] { return }
                let address = visit.address
                guard hiddenSet.contains(visit.extent), let number = rows.lastIndex(atMost: address, by: \.address),
                    let rule = rows[number].rule
                else { return }
                let frame = frames.frames[visit.extent]
                let stated = frames.rows(of: frame) ?? []
                guard let index = stated.lastIndex(atMost: address, by: \.address),
                    Self.holds(stated[index], frame.section, visit)
                else { return }
                let agrees = Self.holds(rule, visit.state)
                found.append((address, visit.length, agrees ? nil : ("\(rule)", "\(stated[index])")))
            }
            guard result.failure == nil else { continue }
            waiting += result.tailCalls
            for (address, length, texts) in found where verdicts[address]?.texts == nil {
                verdicts[address] = (length, texts)
            }
        }
        findContradictions(&frames, hidden, verified: Set(verdicts.keys))
        hiddenBytes = hidden.reduce(0) { $0 + all[$1].count }
        for (address, verdict) in verdicts.sorted(by: { $0.key < $1.key }) {
            if let texts = verdict.texts {
                disagreeingBytes += verdict.length
                disagreements.append((address, texts.0, texts.1))
            } else {
                agreeingBytes += verdict.length
            }
        }
    }

    private mutating func findContradictions(_ frames: inout StatedFrames, _ hidden: [Int], verified: Set<UInt64>) {
        for row in inferred.functions.flatMap(\.rows) where !verified.contains(row.address) {
            guard let rule = row.rule, case .register(let register, let offset) = rule.cfa,
                let number = hidden.lastIndex(atMost: row.address, by: { frames.frames[$0].range.lowerBound }),
                frames.frames[hidden[number]].range.contains(row.address),
                let stated = frames.rows(of: frames.frames[hidden[number]]),
                let index = stated.lastIndex(atMost: row.address, by: \.address),
                stated[index].cfa.kind == .registerOffset, stated[index].cfa.register == UInt64(register),
                stated[index].cfa.offset != offset
            else { continue }
            contradictions.append((row.address, "\(rule)", "\(stated[index])"))
        }
    }

    /// Whether call frame information says what the analysis of the function, with its extent known, found.
    private static func holds(
        _ row: StatedRow, _ section: FrameSection, _ visit: borrowing FunctionAnalysis.Visit
    ) -> Bool {
        guard !row.isOutermost, row.cfa(in: section, visit.state, pc: visit.address) == .cfa(0) else { return false }
        if row.framePointer.kind == .undefined { return true }
        return StatedRow.value(row.framePointer, of: 6, in: section, visit.state, pc: visit.address) == .initial(6)
    }

    private static func holds(_ rule: InferredRule, _ state: SymbolicState) -> Bool {
        let cfa: SymbolicValue
        switch rule.cfa {
        case .register(let register, let offset): cfa = state[register].adding(offset)
        case .stored(let register, let displacement, let addend):
            cfa = state.loaded(from: state[register].adding(displacement)).adding(addend)
        }
        guard cfa == .cfa(0) else { return false }
        switch rule.framePointer {
        case .unknown: return true
        case .unchanged: return state[6] == .initial(6)
        case .saved(let offset): return state.loaded(from: .cfa(offset)) == .initial(6)
        case .stored(let register, let displacement):
            return state.loaded(from: state[register].adding(displacement)) == .initial(6)
        }
    }

    private static func callSites(_ image: ELFImage, _ frames: StatedFrames) throws -> [Int: [CallSite]] {
        guard let section = try image.sections().first(where: { $0.name == ".gcc_except_table" }) else { return [:] }
        let tables = FrameSection(
            kind: .ehFrame, bytes: try image.bytes(of: section), address: section.address,
            machine: image.machine.rawValue)
        var sites: [Int: [CallSite]] = [:]
        for (number, frame) in frames.frames.enumerated() {
            let found = try? frame.section.callSites(of: frame.fde, cie: frames.cie(of: frame), in: tables)
            if let found, !found.isEmpty { sites[number] = found }
        }
        return sites
    }
}

/// What `UncoveredCode` needs to know of an image.
struct UncoveredProgram {
    var code: [ProgramCode.Piece] = []
    var data: [ProgramCode.Piece] = []
    /// SVMAs of procedure linkage tables.
    var stubs: [Range<UInt64>] = []
    var starts: [UInt64] = []
    var pointers: [UInt64] = []
    var nonReturning: Set<UInt64> = []

    init(_ image: ELFImage) throws {
        for section in try image.sections() where section.isAllocated && !section.hasNoBits {
            let bytes = try image.bytes(of: section)
            let piece = ProgramCode.Piece(address: section.address, bytes: bytes)
            if section.isExecutable { code.append(piece) } else { data.append(piece) }
            if section.isExecutable, section.name.hasPrefix(".plt") {
                stubs.append(section.address..<section.address + section.size)
            }
            func word(_ offset: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
            switch section.name {
            case ".init", ".fini": starts.append(section.address)
            case ".init_array", ".fini_array": starts += stride(from: 0, to: bytes.count - 7, by: 8).map(word)
            case ".dynsym", ".symtab":
                // STT_FUNC and STT_GNU_IFUNC, defined
                for symbol in stride(from: 0, to: bytes.count - 23, by: 24) {
                    if [2, 10].contains(bytes[symbol + 4] & 15), bytes[symbol + 6] != 0 || bytes[symbol + 7] != 0 {
                        starts.append(word(symbol + 8))
                    }
                }
            case ".rela.dyn":
                for entry in stride(from: 0, to: bytes.count - 23, by: 24) where [8, 37].contains(word(entry + 8)) {
                    pointers.append(word(entry + 16))
                }
            default: break
            }
        }
        nonReturning = try image.nonReturning(starts, image.functionSymbols())
    }

    /// - Parameter covered: ascending, disjoint.
    func inferred(covered: [Range<UInt64>], searchesReferences: Bool = true) -> UncoveredCode {
        var gaps: [Range<UInt64>] = []
        var taken = (covered + stubs).sorted { $0.lowerBound < $1.lowerBound }[...]
        for piece in code.sorted(by: { $0.address < $1.address }) {
            var start = piece.address
            let end = start + UInt64(piece.bytes.count)
            while let next = taken.first, next.lowerBound < end {
                if next.lowerBound > start { gaps.append(start..<next.lowerBound) }
                start = max(start, next.upperBound)
                taken.removeFirst()
            }
            if start < end { gaps.append(start..<end) }
        }
        return UncoveredCode(
            code: code, data: data, covered: covered, gaps: gaps, starts: starts, pointers: pointers,
            isRelocated: !pointers.isEmpty, nonReturning: nonReturning, searchesReferences: searchesReferences)
    }
}
