import CLiblzma

/// The .xz format: LZMA2, with checksums.
enum XZ {
    /// No memory for compression.
    struct OutOfMemory: Error, CustomStringConvertible {
        var description: String { "not enough memory to compress the profile" }
    }

    /// How hard to look for repetitions.
    enum Effort {
        /// As long ones as there are, far back.
        case text
        /// Next to none: columns of numbers have few, and shrink because some values are more frequent than others.
        case numbers
    }

    /// The farthest that repetitions are referred to. Readers need so much memory.
    static let largestDictionary: UInt32 = 1 << 22

    /// LZMA_FILTER_LZMA2, a macro that Swift doesn't import.
    private static let lzma2: lzma_vli = 0x21

    /// A stream of these bytes. It depends on nothing else but liblzma.
    ///
    /// - Throws: ``OutOfMemory``
    static func compressed(_ bytes: [UInt8], _ effort: Effort) throws(OutOfMemory) -> [UInt8] {
        var options = options(effort, count: bytes.count), code = LZMA_PROG_ERROR
        let bound = lzma_stream_buffer_bound(bytes.count)
        let stream = withUnsafeMutablePointer(to: &options) { options in
            var filters = [
                lzma_filter(id: lzma2, options: options), lzma_filter(id: lzma_vli.max, options: nil),
            ]
            return [UInt8](unsafeUninitializedCapacity: bound) { result, count in
                code = lzma_stream_buffer_encode(
                    &filters, LZMA_CHECK_CRC32, nil, bytes, bytes.count, result.baseAddress, &count, bound)
                // What doesn't shrink is stored, so that the bound is enough.
                if code != LZMA_OK { count = 0 }
            }
        }
        // The options are valid: nothing else can fail.
        if code != LZMA_OK { throw OutOfMemory() }
        return stream
    }

    private static func options(_ effort: Effort, count: Int) -> lzma_options_lzma {
        var options = lzma_options_lzma()
        lzma_lzma_preset(&options, 6)
        if effort == .numbers {
            // A fourth of the time that the preset takes, for 3 % more bytes.
            (options.mf, options.nice_len, options.depth, options.dict_size) = (LZMA_MF_HC3, 8, 1, 1 << 16)
        } else {
            options.dict_size = largestDictionary
        }
        // No larger than necessary, for readers' memory. At least liblzma's minimum, LZMA_DICT_SIZE_MIN.
        while options.dict_size > 4096, options.dict_size / 2 >= count { options.dict_size /= 2 }
        return options
    }
}

/// Decompresses .xz streams, one after the other, that may be broken.
final class XZDecoder {
    /// liblzma keeps the address.
    private let stream: UnsafeMutablePointer<lzma_stream>
    /// For the largest dictionary, and liblzma's own state.
    private static let memory = UInt64(XZ.largestDictionary) + 1 << 20
    /// LZMA_CONCATENATED, a macro that Swift doesn't import: another stream, or zeros in fours, may follow.
    private static let concatenated: UInt32 = 8

    struct OutOfMemory: Error {}

    init() throws(OutOfMemory) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: lzma_stream())
        if lzma_stream_decoder(stream, Self.memory, Self.concatenated) != LZMA_OK { throw OutOfMemory() }
    }

    deinit {
        lzma_end(stream)
        stream.deallocate()
    }

    enum Outcome {
        case more, end
        /// There are not enough bytes.
        case cutOff
        /// In words.
        case broken(String)
    }

    /// Goes on with `bytes`, which are all that are left, as far as there is room in `piece`.
    func step(
        _ bytes: UnsafeBufferPointer<UInt8>, into piece: UnsafeMutableBufferPointer<UInt8>
    ) -> (outcome: Outcome, read: Int, written: Int) {
        stream.pointee.next_in = bytes.baseAddress
        stream.pointee.avail_in = bytes.count
        stream.pointee.next_out = piece.baseAddress
        stream.pointee.avail_out = piece.count
        let code = lzma_code(stream, LZMA_FINISH)
        let outcome: Outcome =
            switch code {
            case LZMA_OK: .more
            case LZMA_STREAM_END: .end
            case LZMA_BUF_ERROR: .cutOff
            case LZMA_MEM_ERROR: .broken("not enough memory to decompress it")
            case LZMA_MEMLIMIT_ERROR: .broken("it needs more than \(Self.memory >> 20) MiB to decompress")
            default: .broken("it can't be decompressed")
            }
        return (outcome, bytes.count - stream.pointee.avail_in, piece.count - stream.pointee.avail_out)
    }
}
