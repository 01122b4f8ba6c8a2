import BPFCheck
import Testing

/// Global functions, and which functions are global.
@Suite struct FunctionTests {
    /// A profiler had this problem on Debian 11.
    @Test func globalFunctionWithPointerIsRefusedBefore512() throws {
        let object = try BPFSource.object("global-pointer")
        let findings = object.findings(5, 10)
        try #require(findings.count == 1)
        let finding = findings[0]
        #expect(finding.kind == .globalFunction && finding.function == "dwarf_cfi_eval")
        #expect(finding.refusal == "Arg#0 type PTR in dwarf_cfi_eval() is not supported yet")
        #expect(finding.source?.file.hasSuffix("testdata/bpf/global-pointer.bpf.c") == true)
        #expect(finding.source?.line == 9)
        #expect(finding.since == KernelVersion(5, 12))
        #expect(object.kinds(5, 11) == ["global-function dwarf_cfi_eval"])
        for (major, minor) in [(5, 12), (5, 15), (6, 1), (7, 3)] { #expect(object.findings(major, minor) == []) }
    }

    /// Kernels before 5.6 verify all functions at each call; libbpf declares all functions static for them.
    @Test func kernelsBefore56KnowNoGlobalFunctions() throws {
        #expect(try BPFSource.object("global-pointer").findings(5, 5) == [])
        #expect(try BPFSource.object("global-pointer").findings(5, 6).count == 1)
    }

    @Test func goodObjectHasNoFindings() throws {
        let object = try BPFSource.object("good")
        #expect(object.programCount == 1 && object.functionCount == 4)
        for (major, minor) in [(5, 4), (5, 10), (5, 15), (6, 1), (6, 12), (7, 3)] {
            #expect(object.findings(major, minor) == [], "\(major).\(minor)")
        }
    }

    @Test func bigEndianObjectsAreRead() throws {
        let bytes = try BPFSource.bytes("global-pointer", version: "v3", "-target", "bpfeb")
        let object = try BPFObject(bytes: bytes, name: "big")
        #expect(object.kinds(5, 10) == ["global-function dwarf_cfi_eval"])
        #expect(object.findings(5, 10)[0].source?.line == 9)
        #expect(
            try BPFObject(bytes: BPFSource.bytes("guarded-helper", version: "v3", "-target", "bpfeb"), name: "big")
                .findings(5, 10) == [])
    }

    @Test func hiddenAndStaticFunctionsMayTakePointers() throws {
        for word in ["static", "__attribute__((visibility(\"hidden\")))", "__attribute__((visibility(\"internal\")))"] {
            let object = try BPFSource.object(text: Self.adds(word))
            #expect(object.findings(5, 10) == [], "\(word)")
        }
        #expect(try BPFSource.object(text: Self.adds("")).kinds(5, 10) == ["global-function adds"])
    }

    private static func adds(_ word: String) -> String {
        """
        #include "bpf.h"
        \(word) __noinline int adds(__u64 *sum) { return sum ? *sum += any() : 0; }
        SEC("perf_event") int program(void *context) { __u64 sum = 0; return adds(&sum); }
        """
    }

    @Test func contextIsThatOfTheProgramsThatCall() throws {
        let object = try BPFSource.object("contexts")
        #expect(object.kinds(5, 10) == ["global-function takes_registers_too"])
        #expect(object.findings(5, 12) == [])
    }

    /// libbpf loads a function only with the BPF programs that call it.
    @Test func functionThatNobodyCallsIsNotLoaded() throws {
        let object = try BPFSource.object(
            text: """
                #include "bpf.h"
                __noinline int adds(__u64 *sum) { return *sum += any(); }
                SEC("perf_event") int program(void *context) { return any(); }
                """)
        #expect(object.findings(5, 10) == [])
    }

    /// Such an object is meant to be linked with others.
    @Test func withoutProgramsAllFunctionsCount() throws {
        let object = try BPFSource.object(
            text: """
                #include "bpf.h"
                __noinline int adds(__u64 *sum) { return *sum += any(); }
                __noinline int counts(int sum) { return sum + any(); }
                """)
        #expect(object.programCount == 0)
        #expect(object.kinds(5, 10) == ["global-function adds"])
    }

    @Test func globalFunctionReturnsANumber() throws {
        let object = try BPFSource.object("global-others")
        let old = ["gives_nothing", "takes_anything", "takes_unknown", "gives_pointer"].map { "global-function \($0)" }
        #expect(object.kinds(5, 10) == old)
        #expect(object.kinds(6, 12) == old)
        #expect(object.kinds(7, 3) == Array(old.dropFirst()))
        #expect(object.findings(6, 12)[0].refusal?.contains("gives_nothing() doesn't return scalar") == true)
    }

    /// From 5.12 on, pointers must point to types of known size, which `void` isn't.
    @Test func pointerToNoKnownSizeIsRefusedForGood() throws {
        let findings = try BPFSource.object("global-others").findings(6, 1).filter { $0.function == "takes_anything" }
        #expect(findings.map(\.refusal) == ["arg#0 reference type"])
        #expect(findings.first?.since == nil)
    }

    @Test func withoutBTFAllFunctionsAreStatic() throws {
        let object = try BPFObject(bytes: BPFSource.bytes("global-pointer", version: "v3", "-g0"), name: "bare")
        #expect(!object.hasBTF)
        #expect(object.findings(5, 10) == [])
        #expect(
            try BPFObject(bytes: BPFSource.bytes("new-helper", version: "v3", "-g0"), name: "bare").findings(5, 10)
                .map(\.source) == [nil, nil])
    }
}
