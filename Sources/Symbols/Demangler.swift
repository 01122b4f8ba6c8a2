import CDemangle
import ELF
import Files
import Glibc

/// Turns the symbols of C++, Rust, D and Swift compilers into the names that people wrote: docs/names.md.
///
/// A child process does it, because symbols come from anywhere.
public struct Demangler {
    /// Problems so far, in words.
    public private(set) var problems: [String] = []
    /// What was found before, by symbol without version.
    private var known: [String: String] = [:]

    /// Nothing is demangled yet.
    public init() {}

    /// Whether a symbol looks as if one of the compilers had made it.
    public static func isMangled(_ symbol: String) -> Bool {
        guard let first = symbol.utf8.first, [UInt8(ascii: "_"), UInt8(ascii: "$"), UInt8(ascii: "@")].contains(first)
        else { return false }
        return prefixes.contains { symbol.utf8.starts(with: $0.utf8) }
    }

    private static let prefixes = [
        // C++ and legacy Rust, Rust v0, constructors of files in C++, D.
        "_Z", "_R", "_GLOBAL_", "_D",
        // Swift; before version 5; before version 4.2; embedded; its macros.
        "$s", "_$s", "$S", "_$S", "_T0", "$e", "_$e", "@__swiftmacro_",
    ]

    /// The names for symbols; none for those that aren't mangled, or can't be demangled.
    ///
    /// - Parameter symbols: `@plt` and versions after them are kept.
    /// - Returns: names by symbol. A name has at most 1,024 bytes, plus `@plt`; longer ones are cut, and end in a hash.
    public mutating func names(of symbols: some Sequence<String>) -> [String: String] {
        let mangled = symbols.filter(Self.isMangled).map { ($0, Self.parts($0)) }
        demangle(Set(mangled.map { String($0.1.stem) }.filter { known[$0] == nil }).sorted())
        var names: [String: String] = [:]
        for (symbol, parts) in mangled {
            guard let name = known[String(parts.stem)], !name.isEmpty else { continue }
            names[symbol] = Self.shortened(name + parts.suffix)
        }
        return names
    }

    /// A name of at most 1,024 bytes, plus `@plt`: longer ones are cut, and end in a hash.
    package static func shortened(_ name: String) -> String {
        guard name.utf8.count > FunctionSymbols.nameLimit else { return name }
        let stub = "@plt"
        let bytes = Array(name.hasSuffix(stub) ? name.utf8.dropLast(stub.utf8.count) : name.utf8[...])
        return bytes.withUnsafeBytes { FunctionSymbols.shortened($0[...]) } + (name.hasSuffix(stub) ? stub : "")
    }

    /// A symbol, and from the first @ on its version or `@plt`.
    private static func parts(_ symbol: String) -> (stem: Substring, suffix: Substring) {
        let end = symbol.dropFirst().firstIndex(of: "@") ?? symbol.endIndex
        return (symbol[..<end], symbol[end...])
    }

    /// Adds symbols to `known`; with an empty name if they can't be demangled.
    private mutating func demangle(_ symbols: [String]) {
        if symbols.isEmpty { return }
        for symbol in symbols { known[symbol] = "" }
        let texts = symbols.map { strdup($0) }
        defer { for text in texts { free(text) } }
        var found: [(index: Int, name: String)] = []
        let untried = texts.map { UnsafePointer($0) }.withUnsafeBufferPointer { texts in
            withUnsafeMutablePointer(to: &found) { found in
                demangle_names(
                    texts.baseAddress, texts.count,
                    { index, text, length, found in
                        let bytes = UnsafeRawBufferPointer(start: text, count: length)
                        found?.assumingMemoryBound(to: [(index: Int, name: String)].self).pointee
                            .append((index, String(decoding: bytes, as: UTF8.self)))
                    }, found)
            }
        }
        for (index, name) in found { known[symbols[index]] = name }
        if untried < 0 {
            problems.append("names are not demangled: \(systemMessage(Int32(-untried)))")
        } else if untried > 0 {
            problems.append("\(untried) names are not demangled: demanglers failed \(DEMANGLE_DEATHS_MAX) times")
        }
    }
}
