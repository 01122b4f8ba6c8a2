import CallFrameInfo
import Testing

/// DWARF 5 §6.4.1 and the LSB's "Exception Frames".
@Suite struct EntryTests {
    // MARK: CIE

    @Test(arguments: [1, 3] as [UInt8])
    func cieVersions(_ version: UInt8) throws {
        var builder = FrameBuilder()
        let cie = builder.cie(version: version)
        let fde = builder.fde(cie: cie)
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r16=c-8"]))
    }

    @Test func cieVersion4WithAddressSize() throws {
        var builder = FrameBuilder()
        let cie = builder.cie(version: 4, behindAugmentation: [4, 0])
        let fde = builder.fde(cie: cie, range: [0, 0x10, 0, 0, 0x20, 0, 0, 0], instructions: [0x44, 0x0e, 16])
        #expect(try builder.readCIE(cie).addressSize == 4)
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r16=c-8", "1004: r7+16 r16=c-8"]))
    }

    @Test func cieVersion4WithSegmentsOrOddAddressesIsRefused() {
        var builder = FrameBuilder()
        let segments = builder.cie(version: 4, behindAugmentation: [8, 4])
        let odd = builder.cie(version: 4, behindAugmentation: [3, 0])
        #expect(throws: CFIError.unsupportedSegmentSelector) { try builder.readCIE(segments) }
        #expect(throws: CFIError.unsupportedAddressSize) { try builder.readCIE(odd) }
    }

    @Test(arguments: [0, 2, 5] as [UInt8])
    func otherCIEVersionsAreRefused(_ version: UInt8) {
        var builder = FrameBuilder()
        let cie = builder.cie(version: version)
        #expect(throws: CFIError.unsupportedVersion) { try builder.readCIE(cie) }
    }

    @Test func returnAddressColumnIsAByteInVersion1AndULEBAfter() throws {
        var builder = FrameBuilder()
        let first = builder.cie(version: 1, returnAddress: [0x90])
        let third = builder.cie(version: 3, returnAddress: [0x90, 0x01])
        #expect(try builder.readCIE(first).returnAddressRegister == 0x90)
        #expect(try builder.readCIE(third).returnAddressRegister == 0x90)
        #expect(try builder.readCIE(third).initialInstructions.count == FrameBuilder.usual.count)
    }

    @Test func augmentationLetters() throws {
        var builder = FrameBuilder(machine: aarch64)
        let offset = builder.cie(augmentation: "zRLSBG", augmentationData: [0x1b, 0x0b])
        let cie = try builder.readCIE(offset)
        #expect(cie.pointerEncoding == PointerEncoding(rawValue: 0x1b))
        #expect(cie.lsdaEncoding == PointerEncoding(rawValue: 0x0b))
        #expect(cie.isSignalFrame && cie.usesBKey && cie.isTagged && cie.hasAugmentationData)
    }

    @Test(
        arguments: [
            [0x00, 1, 2, 3, 4, 5, 6, 7, 8], [0x9b, 1, 2, 3, 4], [0x01, 0x80, 0x80, 0x01], [0x02, 1, 2],
            [0x0c, 1, 2, 3, 4, 5, 6, 7, 8], [0xff],
        ] as [[UInt8]])
    func personalityIsSizedBeforeR(_ personality: [UInt8]) throws {
        var builder = FrameBuilder()
        let cie = builder.cie(augmentation: "zPR", augmentationData: personality + [0x1b])
        #expect(try builder.readCIE(cie).pointerEncoding == PointerEncoding(rawValue: 0x1b))
    }

    @Test func alignedPersonalityIsPaddedToAnAddress() throws {
        var builder = FrameBuilder()
        // The encoding byte is at 17: length, id, version, "zPR", factors, column, size.
        let padded = [UInt8](repeating: 0, count: 6 + 8)
        let cie = builder.cie(augmentation: "zPR", augmentationData: [0x50] + padded + [0x1b])
        #expect(try builder.readCIE(cie).pointerEncoding == PointerEncoding(rawValue: 0x1b))
    }

    @Test func unknownLettersAreSkippableUnderZ() throws {
        var builder = FrameBuilder()
        let cie = builder.cie(augmentation: "zRX", augmentationData: [0x00, 1, 2, 3])
        let fde = builder.fde(cie: cie, augmentationData: [9, 9])
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r16=c-8"]))
    }

    @Test func unknownUnsizedAugmentationIsAnErrorOfThatCIE() throws {
        var builder = FrameBuilder()
        let bad = builder.cie(augmentation: "X")
        let good = builder.cie()
        let lost = builder.fde(cie: bad)
        let kept = builder.fde(cie: good, start: 0x2000)
        #expect(
            try index([builder])
                == Index(
                    spans: ["2000..<2100 @\(kept)"],
                    malformed: [Malformed(offset: lost, error: .unsupportedAugmentation)]))
    }

    @Test func ehAugmentationHasAPointerBehindIt() throws {
        var builder = FrameBuilder()
        let cie = builder.cie(augmentation: "eh", behindAugmentation: [1, 2, 3, 4, 5, 6, 7, 8])
        let fde = builder.fde(cie: cie)
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r16=c-8"]))
    }

    @Test func armccAugmentationHasNoData() throws {
        var builder = FrameBuilder()
        let cie = builder.cie(version: 3, augmentation: "armcc+")
        let fde = builder.fde(cie: cie)
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r16=c-8"]))
    }

    @Test func badInstructionsOfACIECostItsFDEs() throws {
        var builder = FrameBuilder()
        let cie = builder.cie(instructions: [0x3f])
        let fde = builder.fde(cie: cie)
        #expect(throws: CFIError.unknownInstruction) { try builder.rows(fde) }
    }

    // MARK: Lengths

    @Test(arguments: [FrameSection.Kind.ehFrame, .debugFrame])
    func sixtyFourBitLengths(_ kind: FrameSection.Kind) throws {
        var builder = FrameBuilder(kind: kind)
        let cie = builder.cie(is64BitDWARF: true)
        let fde = builder.fde(cie: cie, is64BitDWARF: true)
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r16=c-8"]))
    }

    @Test func zeroLengthTerminatorInEhFrameDoesNotEndTheScan() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        let before = builder.fde(cie: cie)
        builder.terminator()
        let after = builder.fde(cie: cie, start: 0x2000)
        #expect(try index([builder]).spans == ["1000..<1100 @\(before)", "2000..<2100 @\(after)"])
        builder.endsAtTerminator = true
        #expect(try index([builder]).spans == ["1000..<1100 @\(before)"])
    }

    @Test func zeroLengthInDebugFrameIsPadding() throws {
        var builder = FrameBuilder(kind: .debugFrame)
        builder.terminator()
        let cie = builder.cie()
        builder.terminator()
        let fde = builder.fde(cie: cie)
        #expect(try index([builder]) == Index(spans: ["1000..<1100 @\(fde)"]))
    }

    @Test func lengthBeyondTheSectionKeepsWhatCameBefore() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        let fde = builder.fde(cie: cie)
        let bad = builder.bytes.count
        builder.bytes += [0xff, 0, 0, 0, 1, 0, 0, 0]
        #expect(
            try index([builder])
                == Index(
                    spans: ["1000..<1100 @\(fde)"], malformed: [Malformed(offset: bad, error: .lengthOutOfBounds)]))
    }

    @Test func reservedLengthsAreRefused() throws {
        var builder = FrameBuilder()
        builder.bytes += [0xf0, 0xff, 0xff, 0xff] + [UInt8](repeating: 0, count: 32)
        #expect(try index([builder]).malformed == [Malformed(offset: 0, error: .lengthOutOfBounds)])
    }

    @Test func fdeThatEndsInItsRangeCostsThatFDE() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        let bad = builder.fde(cie: cie, range: [0, 0x10, 0])
        let good = builder.fde(cie: cie, start: 0x2000)
        #expect(
            try index([builder])
                == Index(
                    spans: ["2000..<2100 @\(good)"], malformed: [Malformed(offset: bad, error: .truncated)]))
    }

    // MARK: CIE pointers

    @Test(arguments: [FrameSection.Kind.ehFrame, .debugFrame])
    func cieNeedNotPrecedeItsFDE(_ kind: FrameSection.Kind) throws {
        var builder = FrameBuilder(kind: kind)
        let size = 24  // length, CIE pointer, range
        let fde = builder.fde(cie: size)
        #expect(builder.cie() == size)
        #expect(try builder.rows(fde) == complete(["1000: r7+8 r16=c-8"]))
        #expect(try index([builder]).spans == ["1000..<1100 @\(fde)"])
    }

    @Test func cieNeedNotAdjoinItsFDE() throws {
        var builder = FrameBuilder()
        let first = builder.cie(instructions: [0x0c, 7, 8])
        let second = builder.cie(instructions: [0x0c, 6, 16])
        let ofSecond = builder.fde(cie: second)
        let ofFirst = builder.fde(cie: first, start: 0x2000)
        #expect(try builder.rows(ofSecond).rows == ["1000: r6+16"])
        #expect(try builder.rows(ofFirst).rows == ["2000: r7+8"])
    }

    @Test func ciePointerBeforeSectionStart() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        let bad = builder.fde(cie: -8)
        let good = builder.fde(cie: cie, start: 0x2000)
        #expect(
            try index([builder])
                == Index(
                    spans: ["2000..<2100 @\(good)"], malformed: [Malformed(offset: bad, error: .ciePointerOutOfBounds)])
        )
    }

    @Test(arguments: [FrameSection.Kind.ehFrame, .debugFrame])
    func ciePointerBehindSectionEnd(_ kind: FrameSection.Kind) throws {
        var builder = FrameBuilder(kind: kind)
        let bad = builder.fde(cie: 0x1000)
        #expect(try index([builder]).malformed == [Malformed(offset: bad, error: .ciePointerOutOfBounds)])
    }

    @Test func farthestCIEPointerBeforeSectionStart() throws {
        var builder = FrameBuilder()
        // The pointer is at offset 12. Subtracting the lowest 64-bit number from 12 overflows.
        let bad = builder.fde(cie: .min, is64BitDWARF: true)
        #expect(try index([builder]).malformed == [Malformed(offset: bad, error: .ciePointerOutOfBounds)])
    }

    @Test func ciePointerToAnFDE() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        let fde = builder.fde(cie: cie)
        let bad = builder.fde(cie: fde, start: 0x2000)
        #expect(try index([builder]).malformed == [Malformed(offset: bad, error: .notACIE)])
    }

    // MARK: Ranges

    @Test func tombstonesAreDropped() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        builder.fde(cie: cie, start: 0)
        builder.fde(cie: cie, start: 0x3000, length: 0)
        let kept = builder.fde(cie: cie, start: 0x2000)
        #expect(try index([builder]) == Index(spans: ["2000..<2100 @\(kept)"], dropped: 2))
    }

    @Test func addressZeroIsKeptInRelocatableFiles() throws {
        var builder = FrameBuilder()
        let fde = builder.fde(cie: builder.cie(), start: 0)
        #expect(try index([builder], clippedTo: nil).spans == ["0..<100 @\(fde)"])
    }

    @Test func ofOverlappingFDEsTheFirstInTheFileWins() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        let first = builder.fde(cie: cie, start: 0x1080, length: 0x40)
        let second = builder.fde(cie: cie, start: 0x1000, length: 0x100)
        #expect(
            try index([builder])
                == Index(
                    spans: ["1000..<1080 @\(second)", "1080..<10c0 @\(first)", "10c0..<1100 @\(second)"], overlapping: 1
                ))
    }

    @Test func ehFrameAndDebugFrameMergePerAddress() throws {
        var ehFrame = FrameBuilder()
        let ehFDE = ehFrame.fde(cie: ehFrame.cie())
        var debugFrame = FrameBuilder(kind: .debugFrame)
        let debugFDE = debugFrame.fde(cie: debugFrame.cie(), start: 0x1080, length: 0x100)
        #expect(try index([ehFrame, debugFrame]).spans == ["1000..<1100 @\(ehFDE)", "1100..<1180 @\(debugFDE)"])
    }

    @Test func fdesOutsideExecutableCodeAreDropped() throws {
        var builder = FrameBuilder()
        let cie = builder.cie()
        builder.fde(cie: cie, start: 0x8000)
        let kept = builder.fde(cie: cie, start: 0x1f80)
        #expect(
            try index([builder], clippedTo: [0x1000..<0x2000])
                == Index(
                    spans: ["1f80..<2000 @\(kept)"], dropped: 1))
    }

    /// For real files, a compact index, which is sorted by stretches, equals the list of spans of other indices, which
    /// is sorted by comparisons.
    @Test func compactIndexEqualsTheListOfSpans() throws {
        let paths = RealFiles.slice(["/usr/lib/x86_64-linux-gnu", "/usr/bin"], count: 80, largest: 4 << 20)
        try #require(!paths.isEmpty)
        var compared = 0
        for path in paths {
            try withSections(of: path) { sections, _ in
                let general = try Index(sections, clippedTo: [0..<UInt64.max])
                let compact = try Index(sections, clippedTo: [0..<UInt64(UInt32.max)])
                #expect(general == compact, "\(path)")
                compared += general.spans.count
            }
        }
        #expect(compared > 10_000)
    }

    // MARK: Order

    /// Requires that functions in this order are sorted, with FDEs in the usual form and in another one.
    private func requireSorted(
        _ starts: [UInt64], length: UInt64, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var builder = FrameBuilder()
        builder.address = 0x100
        let cie = builder.cie(augmentation: "zR", augmentationData: [0x1b])
        for start in starts {
            // Relative to its own address, after the length and the CIE pointer.
            let place = builder.address + UInt64(builder.bytes.count) + 8
            let range = builder.integer(start &- place, size: 4) + builder.integer(length, size: 4)
            builder.fde(cie: cie, range: range, augmentationData: [])
        }
        let expected = starts.sorted().map { String($0, radix: 16) }
        try builder.withSection { section in
            for limit in [UInt64(UInt32.max), UInt64.max] {
                let spans = try Index([section], clippedTo: [0..<limit]).spans.map { String($0.prefix { $0 != "." }) }
                #expect(spans == expected, sourceLocation: sourceLocation)
            }
        }
    }

    @Test func scatteredFDEsAreSortedByAddress() throws {
        // 1,000 functions in a fixed random order over 250 MiB, which needs three passes of the radix sort.
        try requireSorted((1...1000).map { UInt64($0 * 7919 % 1009) << 18 | 0x10 }, length: 0x10)
    }

    @Test func stretchesOfFDEsAreSortedByAddress() throws {
        let groups = (1...50).map { UInt64($0 * 31 % 53) << 16 }
        try requireSorted(groups.flatMap { group in (0..<20).map { group + 0x20 * $0 } }, length: 0x18)
    }

    @Test func aStretchAtTheBeginningOfTheAddressSpaceIsOne() throws {
        try requireSorted(
            [8, 0x10, 0x18, 0x9000, 0x9008, 0x9010, 0x9018, 0x5000, 0x5008, 0x5010, 0x5018, 0x5020], length: 8)
    }

    @Test func fdesInGapsOfAStretchGoBetween() throws {
        // Functions with gaps of fifteen bytes, one of which contains a function of another stretch.
        let groups = (1...50).map { UInt64($0 * 31 % 53) << 16 }
        let stretches = groups.flatMap { group in (0..<20).map { group + 0x10 * $0 } }
        try requireSorted(stretches + groups.map { $0 + 0x9 + 0x10 * 7 }, length: 1)
    }

    @Test func manyFDEsInGapsOfAStretchAreSortedByAddress() throws {
        // Merging these stretches would move keys so often that sorting all keys is faster.
        let stretch = (0..<1000).map { 0x1000 + 0x10 * UInt64($0) }
        try requireSorted(stretch + (1...200).map { 0x1009 + 0x10 * UInt64($0 * 7 % 211) }, length: 1)
    }
}
