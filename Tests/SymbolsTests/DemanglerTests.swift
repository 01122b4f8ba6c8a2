import Foundation
import Symbols
import TestFixtures
import Testing

/// Names as people wrote them.
@Suite struct DemanglerTests {
    static func name(_ symbol: String) -> String? {
        var demangler = Demangler()
        let name = demangler.names(of: [symbol])[symbol]
        #expect(demangler.problems.isEmpty)
        return name
    }

    // Made by g++ 12, rustc 1.95 and swiftc 6.3; D's are of the language's specification.
    @Test(arguments: [
        ("_Z1kv", "k()"), ("_ZL1hv", "h()"), ("_ZN3app2v21gEPFicEz", "app::v2::g(int (*)(char), ...)"),
        (
            "_ZN3app1fENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKSt6vectorIiSaIiEE",
            "app::f(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >, "
                + "std::vector<int, std::allocator<int> > const&)"
        ),
        ("_ZN3app3BoxIiEC1Ei", "app::Box<int>::Box(int)"), ("_ZN3app3BoxIiED2Ev", "app::Box<int>::~Box()"),
        ("_ZNK3app3BoxIiEcvbEv", "app::Box<int>::operator bool() const"),
        ("_ZNKR3app3BoxIiEplERKS1_", "app::Box<int>::operator+(app::Box<int> const&) const &"),
        ("_ZZ1kvENKUliE_clEi", "k()::{lambda(int)#1}::operator()(int) const"),
        ("_Z1kv.cold", "k() [clone .cold]"), ("_Z1kv.constprop.0", "k() [clone .constprop.0]"),
        ("_GLOBAL__I__Z1kv", "global constructors keyed to k()"),
        ("_Z7größev", "größe()"),
    ])
    func cxx(symbol: String, name: String) { #expect(Self.name(symbol) == name) }

    @Test(arguments: [
        ("_ZN3app10S$LT$T$GT$3get17h265b0160ace99cc8E", "app::S<T>::get"),
        ("_ZN3app3all28_$u7b$$u7b$closure$u7d$$u7d$17hdd80353e0303d77fE", "app::all::{{closure}}"),
        (
            "_ZN67_$LT$app..S$LT$$u5b$u8$u3b$$u20$4$u5d$$GT$$u20$as$u20$app..Draw$GT$4draw17h06006b1a1e7614f9E",
            "<app::S<[u8; 4]> as app::Draw>::draw"
        ),
        ("_RINvCsli3NGoEiSOP_3app5konstKj7_EB2_", "app::konst::<7>"),
        ("_RNCNvCsli3NGoEiSOP_3app3all0B3_", "app::all::{closure#0}"),
        ("_RNvMCsli3NGoEiSOP_3appINtB2_1SAhj4_E3getB2_", "<app::S<[u8; 4]>>::get"),
        ("_RNvXs_Csli3NGoEiSOP_3appINtB4_1SAhj4_ENtB4_4Draw4draw", "<app::S<[u8; 4]> as app::Draw>::draw"),
    ])
    func rust(symbol: String, name: String) { #expect(Self.name(symbol) == name) }

    @Test(arguments: [
        ("$s3App3BoxV1vACyxGx_tcfC", "App.Box.init(v: A) -> App.Box<A>"),
        ("$s3App3BoxV1vxvg", "App.Box.v.getter : A"),
        ("$s3App3BoxV3mapyACyqd__Gqd__xKXEKlF", "App.Box.map<A>((A) throws -> A1) throws -> App.Box<A1>"),
        (
            "$s3App3BoxVAASiRszlE1poiySiACySiG_AEtFZ",
            "static (extension in App):App.Box<A where A == Swift.Int>.+ infix(App.Box<Swift.Int>, "
                + "App.Box<Swift.Int>) -> Swift.Int"
        ),
        ("$s3App3BoxVMa", "type metadata accessor for App.Box"),
        ("$s3App3BoxV1vxvM.resume.0", "App.Box.v.modify : A with unmangled suffix \".resume.0\""),
    ])
    func swift(symbol: String, name: String) { #expect(Self.name(symbol) == name) }

    @Test(arguments: [
        ("_Dmain", "D main"), ("_D8demangle4testFAbZv", "demangle.test(bool[])"),
        ("_D3foo3Bar3bazMFiZi", "foo.Bar.baz(int)"),
    ])
    func d(symbol: String, name: String) { #expect(Self.name(symbol) == name) }

    @Test(arguments: [
        "", "main", "_", "_Z", "_R", "_D", "$s", "_Zebra", "_Random", "_DYNAMIC", "_GLOBAL_OFFSET_TABLE_", "$x", "$sa",
        "_T0", "i", "Z1kv", "[libc.so.6]", "@plt", "_Z1k\u{fffd}\u{fffd}",
    ])
    func othersStay(symbol: String) { #expect(Self.name(symbol) == nil) }

    @Test func stubsAndVersionsKeepTheirSuffix() {
        #expect(Self.name("_Z1kv@plt") == "k()@plt")
        #expect(Self.name("_Z1kv@CXXABI_1.3@plt") == "k()@CXXABI_1.3@plt")
    }

    @Test func severalAtOnceAndAgain() {
        var demangler = Demangler()
        for _ in 0..<2 {
            let names = demangler.names(of: ["_Z1kv", "main", "_Z", "_Z1kv@plt", "$s3App3BoxVMa"])
            #expect(
                names == [
                    "_Z1kv": "k()", "_Z1kv@plt": "k()@plt", "$s3App3BoxVMa": "type metadata accessor for App.Box",
                ])
        }
    }

    @Test func moreThanOneChildGets() {
        let symbols = (0..<5000).map { "_Z5f\($0 + 1000)v" }
        var demangler = Demangler()
        let names = demangler.names(of: symbols)
        #expect(names.count == 5000 && symbols.allSatisfy { names[$0] == $0.dropFirst(3).dropLast() + "()" })
    }

    @Test func longNamesAreCutAndTellableApart() throws {
        let names = ["a", "b"].map { Self.name("_Z3000" + String(repeating: "x", count: 2999) + $0 + "v@plt") ?? "" }
        for name in names { #expect(name.wholeMatch(of: /x{1012}\.\.\.#[0-9a-f]{8}@plt/) != nil, "\(name)") }
        #expect(names[0] != names[1])
    }

    // MARK: The languages' own demanglers

    /// The symbols of a library, and what a program that reads one symbol a line makes of them.
    private static func comparison(of library: String, begin: String, _ command: String) throws -> [(String, String)] {
        let fixture = try Fixture()
        let output = try run(
            "bash", "-c",
            """
            nm -D --without-symbol-versions '\(library)' | awk '{ print $NF }' | grep '^\(begin)' | sort -u > "$0/symbols"
            \(command) < "$0/symbols" > "$0/names" && paste "$0/symbols" "$0/names"
            """, fixture.directory)
        return output.split(separator: "\n").map { line in
            let parts = line.split(separator: "\t", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
    }

    private static func expectEqual(_ pairs: [(String, String)]) {
        var demangler = Demangler()
        let names = demangler.names(of: pairs.map(\.0))
        // Longer ones are cut.
        let different = pairs.filter { $0.1.utf8.count <= 1024 && names[$0.0, default: $0.0] != $0.1 }
        #expect(demangler.problems.isEmpty && different.isEmpty, "\(different.prefix(3))")
    }

    private static let cxxLibrary = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
    @Test(.enabled(if: FileManager.default.fileExists(atPath: cxxLibrary), "needs libstdc++.so.6"))
    func allOfCxxLibraryAsCxxfilt() throws {
        let pairs = try Self.comparison(of: Self.cxxLibrary, begin: "_Z", "c++filt -i")
        #expect(pairs.count > 4000)
        Self.expectEqual(pairs)
    }

    private static let swiftLibrary = Toolchain.programs + "/../lib/swift/linux/libswiftCore.so"
    @Test(.enabled(if: FileManager.default.fileExists(atPath: swiftLibrary), "needs libswiftCore.so"))
    func allOfSwiftLibraryAsSwiftDemangle() throws {
        let pairs = try Self.comparison(of: Self.swiftLibrary, begin: "$s", "swift-demangle -compact -no-sugar")
        #expect(pairs.count > 10000)
        Self.expectEqual(pairs)
    }
}
