/// Lowercase hexadecimal digits.
package enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Two digits for each byte.
    package static func text(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            for (index, byte) in bytes.enumerated() {
                text[2 * index] = digits[Int(byte >> 4)]
                text[2 * index + 1] = digits[Int(byte & 15)]
            }
            return 2 * bytes.count
        }
    }

    /// With zeros in front, if it has fewer than so many digits.
    package static func text(_ number: some FixedWidthInteger & UnsignedInteger, digits count: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }

    /// Whether all characters are such digits.
    package static func isText(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy { digits.contains($0) }
    }
}

extension BinaryInteger {
    /// `0x12`, as addresses and offsets are written for people.
    package var hex: String { "0x" + String(self, radix: 16) }
}
