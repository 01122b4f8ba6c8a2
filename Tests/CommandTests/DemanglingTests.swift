import Foundation
import enum TestFixtures.HostKernel
import Testing

/// `--no-demangle`, and what is printed without it.
@Suite struct DemanglingTests {
    private let place: Workplace

    init() throws { place = try Workplace() }

    private static let function = """
        .cfi_endproc
        .globl _ZN3app4spinIlEET_S1_
        .type _ZN3app4spinIlEET_S1_, @function
        .size _ZN3app4spinIlEET_S1_, 16
        .p2align 4
        _ZN3app4spinIlEET_S1_:
        .cfi_startproc
        .fill 4, 1, 0x90
        .cfi_escape 0x3f

        """

    /// The library, and the address of its function with a C++ name.
    private func library() throws -> String {
        try place.library(cfi: Self.function)
        return String(try place.shell("nm lib.so | grep spin").output.prefix { $0 != " " })
    }

    @Test(arguments: ["", "--explain"]) func lookupDemangles(option: String) throws {
        let address = try library()
        let outcome = try place.shell("cfic lookup \(option) lib.so \(address)")
        #expect(outcome.output.contains(" <long app::spin<long>(long)+0x0>"), "\(outcome)")
        let plain = try place.shell("cfic lookup \(option) --no-demangle lib.so \(address)")
        #expect(plain.output.contains(" <_ZN3app4spinIlEET_S1_+0x0>"), "\(plain)")
        let json = try place.shell("cfic lookup --json \(option) lib.so \(address)")
        #expect(json.output.contains("\"function\" : \"long app::spin<long>(long)\""), "\(json)")
        #expect(json.output.contains("\"mangledName\" : \"_ZN3app4spinIlEET_S1_\""))
        let plainJSON = try place.shell("cfic lookup --json \(option) --no-demangle lib.so \(address)")
        #expect(plainJSON.output.contains("\"function\" : \"_ZN3app4spinIlEET_S1_\""))
        #expect(!plainJSON.output.contains("mangledName"))
    }

    @Test func statsDemangles() throws {
        _ = try library()
        let json = try place.shell("cfic stats --json lib.so")
        #expect(json.output.contains("\"function\" : \"long app::spin<long>(long)\""), "\(json)")
        #expect(json.output.contains("\"mangledName\" : \"_ZN3app4spinIlEET_S1_\""))
        let plain = try place.shell("cfic stats --json --no-demangle lib.so")
        #expect(plain.output.contains("\"function\" : \"_ZN3app4spinIlEET_S1_\"") && !plain.output.contains("app::"))
    }

    @Test(.enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)")) func profileDemangles() throws {
        let source = """
            namespace app {
            template<class T> __attribute__((noinline)) T spin(T n) {
                volatile T sum = 0;
                for (T i = 0; i < n; i++) sum = sum + i;
                return sum;
            }
            }
            int main() { return app::spin<long>(200000000) == 1; }

            """
        try place.write(Array(source.utf8), to: "spin.cc")
        let build = try place.shell("g++ -O1 -o spin spin.cc")
        try #require(build.code == 0, "\(build)")
        let outcome = try place.shell("cfic profile -F 999 -- ./spin")
        #expect(outcome.code == 0, "\(outcome.diagnostics)")
        #expect(outcome.output.contains(";main;long app::spin<long>(long) "), "\(outcome.output)")
        #expect(!outcome.output.contains("_ZN3app"))
        let plain = try place.shell("cfic profile -F 999 --no-demangle -- ./spin")
        #expect(plain.output.contains(";main;_ZN3app4spinIlEET_S1_ ") && !plain.output.contains("app::spin"))
        let json = try place.shell("cfic profile -F 999 --json -- ./spin")
        #expect(json.output.contains("\"mangledName\" : \"_ZN3app4spinIlEET_S1_\""))
    }
}
