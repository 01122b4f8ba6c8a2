import CDemangle
import Symbols
import TestFixtures
import Testing

/// Symbols that were made to harm a demangler.
@Suite struct HostileSymbolTests {
    /// C++: `X<int, int>`, and types that each contain the type before twice.
    static func cxx(_ levels: Int) -> String {
        "_Z1f1XIiiE" + (1...levels).map { "S_I" + repeated(cxxReference($0)) + "E" }.joined()
    }
    private static func cxxReference(_ number: Int) -> String { "S\(String(number - 1, radix: 36, uppercase: true))_" }

    /// Rust: pairs of back references to the pair before.
    static func rust(_ levels: Int) -> String {
        var text = "INvC1a1bTmmE"
        var last = 8
        for _ in 0..<levels {
            let place = text.utf8.count
            text += "T" + repeated("B" + base62(last - 1) + "_") + "E"
            last = place
        }
        return "_R" + text + "E"
    }
    private static func base62(_ number: Int) -> String {
        let digits = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return (number >= 62 ? base62(number / 62) : "") + String(digits[number % 62])
    }

    /// Swift: dictionaries whose keys and values are the dictionary before.
    static func swift(_ levels: Int) -> String {
        "$s1a1fyySDyS2iG_" + "CDEFGHIJKLMNOPQRSTUVWXYZ".prefix(levels).map { "SDyA2\($0)G" }.joined() + "tF"
    }

    /// D: associative arrays, likewise.
    static func d(_ levels: Int) -> String {
        var text = "_D1a1fFHii"
        var last = 7
        for _ in 0..<levels {
            let place = text.utf8.count
            text += "H"
            for _ in 0..<2 { text += "Q" + base26(text.utf8.count - last) }
            last = place
        }
        return text + "Zv"
    }
    private static func base26(_ number: Int) -> String {
        func letter(_ digit: Int, _ first: UInt8) -> String { String(Unicode.Scalar(first + UInt8(digit))) }
        var text = letter(number % 26, 0x61)
        var rest = number / 26
        while rest > 0 {
            text = letter(rest % 26, 0x41) + text
            rest /= 26
        }
        return text
    }

    private static func repeated(_ text: String) -> String { text + text }

    @Test(arguments: [cxx, rust, swift, d])
    func expansionIsBounded(bomb: @Sendable (Int) -> String) {
        // The bomb is one: with few levels it is a name, which about doubles with each.
        let sizes = [1, 2].map { DemanglerTests.name(bomb($0))?.utf8.count ?? 0 }
        #expect(sizes[0] > 0 && sizes[1] * 10 > sizes[0] * 17, "\(sizes)")
        var demangler = Demangler()
        let symbols = ["_Z1av", bomb(24), bomb(20), "_Z1zv"]
        #expect(demangler.names(of: symbols) == ["_Z1av": "a()", "_Z1zv": "z()"])
        #expect(demangler.problems.isEmpty)
    }

    @Test func manyBombsAreGivenUp() {
        var demangler = Demangler()
        // Symbols are tried in their order.
        let bombs = (100..<160).map { "_Z4f\($0)" + Self.cxx(33).dropFirst(4) }
        let names = demangler.names(of: bombs + ["_Z1av", "_Z9zzzzzzzzzv"])
        #expect(names == ["_Z1av": "a()"])
        let rest = bombs.count + 1 - Int(DEMANGLE_DEATHS_MAX)
        #expect(demangler.problems == ["\(rest) names are not demangled: demanglers failed 8 times"])
    }

    @Test(arguments: [
        "_Z1f" + String(repeating: "P", count: 16_000) + "i",
        "_Z1fi" + String(repeating: "I", count: 16_000),
        "_ZN" + String(repeating: "1a", count: 8000) + "E",
        "_Z1fI" + String(repeating: "XI", count: 8000),
        "_RN" + String(repeating: "Nv", count: 8000) + "C1a1b",
        "_RINvC1a1b" + String(repeating: "R", count: 16_000) + "mE",
        "_D1a1f" + String(repeating: "P", count: 16_000) + "i",
        "_D" + String(repeating: "1a", count: 8000) + "i",
        "$s1a1fyy" + String(repeating: "Say", count: 5000) + "Si" + String(repeating: "G", count: 5000) + "F",
        "$s" + String(repeating: "1a", count: 8000) + "V",
    ])
    func depthIsBounded(symbol: String) {
        var demangler = Demangler()
        let names = demangler.names(of: [symbol, "_Z1zv"])
        #expect(names["_Z1zv"] == "z()" && demangler.problems.isEmpty)
        if let name = names[symbol] { #expect(name.utf8.count <= 1024) }
    }

    /// Broken symbols neither end this process nor change other names.
    @Test func brokenSymbols() {
        var random = SeededGenerator(seed: 1)
        let whole = [
            "_ZNKR3app3BoxIiEplERKS1_", "_ZN3app1fENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", Self.cxx(3),
            "_RNvXs_Csli3NGoEiSOP_3appINtB4_1SAhj4_ENtB4_4Draw4draw", Self.rust(3), Self.d(3), Self.swift(3),
            "_ZN3app3all28_$u7b$$u7b$closure$u7d$$u7d$17hdd80353e0303d77fE", "_D8demangle4testFAbZv",
            "$s3App3BoxVAASiRszlE1poiySiACySiG_AEtFZ", "$s3App3BoxV3mapyACyqd__Gqd__xKXEKlF",
        ]
        let letters = Array("0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz$.\u{1b}\n;é".utf8)
        var symbols: Set<String> = []
        for symbol in whole {
            for length in 2..<symbol.utf8.count { symbols.insert(String(symbol.prefix(length))) }
            for _ in 0..<400 {
                var bytes = Array(symbol.utf8)
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    bytes[Int.random(in: 2..<bytes.count, using: &random)] = letters.randomElement(using: &random) ?? 0
                }
                symbols.insert(String(decoding: bytes, as: UTF8.self))
            }
        }
        symbols.insert("_Z9zzzzzzzzzv")
        var demangler = Demangler()
        let names = demangler.names(of: symbols)
        #expect(names["_Z9zzzzzzzzzv"] == "zzzzzzzzz()" && names["_ZNKR3app3BoxIiEplERKS1"] == nil)
        #expect(names.count > 100 && names.values.allSatisfy { $0.utf8.count <= 1028 })
    }
}
