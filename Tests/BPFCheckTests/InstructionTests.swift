import BPFCheck
import Testing

/// Instructions, helpers and kernel functions, by the release that introduced them.
@Suite struct InstructionTests {
    @Test func atomicsWithResultNeed512() throws {
        let object = try BPFSource.object("atomics")
        #expect(object.kinds(5, 11) == ["instruction fetches", "instruction exchanges", "instruction sets_bits"])
        #expect(object.findings(5, 11)[0].refusal == "BPF_STX uses reserved fields")
        #expect(object.findings(5, 12, [.x86_64]) == [])
        // aarch64's JIT compiler supports them only later; until then kernels with an interpreter interpret them.
        #expect(object.findings(5, 17, [.aarch64]).map(\.isRefusal) == [false, false, false])
        #expect(object.findings(5, 18) == [])
    }

    @Test func version4Needs66() throws {
        let object = try BPFSource.object("version4", version: "v4")
        let findings = object.findings(6, 5)
        #expect(findings.map(\.function) == ["extending_load", "extending_move", "signed_division", "swaps_bytes"])
        #expect(
            findings.map(\.refusal) == [
                "BPF_LDX uses reserved fields", "BPF_MOV uses reserved fields", "BPF_ALU uses reserved fields",
                "unknown opcode d7",
            ])
        #expect(object.findings(6, 6) == [])
    }

    /// Written as bytes, because no short C code makes clang emit them.
    @Test(arguments: [
        ("goto_long", ".byte 0x06, 0, 0, 0, 0, 0, 0, 0", 6, 6),
        ("may_goto", ".byte 0xe5, 0, 0, 0, 0, 0, 0, 0", 6, 9),
        ("goto_register", ".byte 0x0d, 1, 0, 0, 0, 0, 0, 0", 6, 19),
        ("load_acquire", ".byte 0xdb, 0xa1, 0xf8, 0xff, 0x00, 0x01, 0, 0", 6, 15),
        ("store_release", ".byte 0xdb, 0x1a, 0xf8, 0xff, 0x10, 0x01, 0, 0", 6, 15),
        ("cast", ".byte 0xbf, 0x11, 1, 0, 1, 0, 0, 0", 6, 9),
    ])
    func instructionNeedsItsRelease(name: String, bytes: String, major: Int, minor: Int) throws {
        let object = try BPFSource.object(
            text: """
                #include "bpf.h"
                SEC("perf_event") int \(name)(void *context)
                {
                    asm volatile("\(bytes)" ::: "r1", "memory");
                    return any();
                }
                """)
        let before = minor == 0 ? (major - 1, 19) : (major, minor - 1)
        #expect(object.kinds(before.0, before.1) == ["instruction \(name)"])
        #expect(object.findings(major, minor, [.x86_64]) == [])
        // aarch64 supports arenas a release later.
        #expect(
            object.findings(major, minor, [.aarch64]).map(\.since)
                == (name == "cast" ? [KernelVersion(6, 10)] : []))
    }

    /// Stable updates of 6.1 support them, which the release number doesn't show.
    @Test func longJumpsCameToUpdatesOf61() throws {
        let object = try BPFObject("kprobe/x", "asm volatile(\".byte 0x06, 0, 0, 0, 0, 0, 0, 0\"); return 0")
        #expect(object.findings(6, 1).map(\.isRefusal) == [false])
        #expect(object.findings(6, 2).map(\.isRefusal) == [true])
        #expect(object.findings(5, 15).map(\.isRefusal) == [true])
    }

    /// Kernels that support only atomic additions reject all other atomic operations.
    @Test func acquireIsRefusedAsAnyAtomicBefore512() throws {
        let object = try BPFSource.object(
            text: """
                #include "bpf.h"
                SEC("perf_event") int program(void *context)
                {
                    asm volatile(".byte 0xdb, 0xa1, 0xf8, 0xff, 0x00, 0x01, 0, 0" ::: "r1", "memory");
                    return any();
                }
                """)
        #expect(object.findings(5, 11).map(\.refusal) == ["BPF_STX uses reserved fields"])
        #expect(object.findings(5, 12, [.x86_64]).map(\.refusal) == ["BPF_ATOMIC uses invalid atomic opcode"])
    }

    @Test func shortJumpsAreOlderThanWhatIsKnown() throws {
        let text = """
            #include "bpf.h"
            SEC("perf_event") int program(void *context) { return any() > 5 ? now() : any(); }
            """
        #expect(try BPFSource.object(text: text).kinds(5, 0) == ["instruction program"])
        #expect(try BPFSource.object(text: text).findings(5, 1) == [])
        #expect(try BPFSource.object(text: text, version: "v2").findings(5, 0) == [])
    }

    @Test func helperNewerThanTheKernel() throws {
        let object = try BPFSource.object("new-helper")
        #expect(object.kinds(5, 10) == ["callback loops", "helper loops"])
        #expect(object.kinds(5, 13) == ["helper loops"])
        #expect(object.findings(5, 13)[0].problem == "calls bpf_loop(), helper 181")
        #expect(object.findings(5, 13)[0].source?.line == 16)
        #expect(object.findings(5, 17) == [])
    }

    @Test func guardedHelperIsNoFinding() throws {
        let object = try BPFSource.object("guarded-helper")
        for (major, minor) in [(5, 4), (5, 10), (5, 14), (5, 15)] { #expect(object.findings(major, minor) == []) }
    }

    /// get_current_task_btf exists since 5.11, and wherever task_pt_regs exists, but not vice versa.
    @Test func guardOfAnotherHelperIsNone() throws {
        let object = try BPFSource.object(
            text: """
                #include "bpf.h"
                static long (*const task_pt_regs)(void *task) = (void *)BPF_FUNC_task_pt_regs;
                static void *(*const current_task)(void) = (void *)BPF_FUNC_get_current_task_btf;
                SEC("perf_event") int guarded(void *context)
                {
                    if (exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
                        return task_pt_regs(current_task()) != 0;
                    return 0;
                }
                """)
        #expect(object.findings(5, 10) == [])
        #expect(object.kinds(5, 11) == ["helper guarded"])
        #expect(object.kinds(5, 14) == ["helper guarded"])
        #expect(object.findings(5, 15) == [])
    }

    /// A static function that is called only after the guard is never verified.
    @Test func functionBehindAGuardIsNotVerified() throws {
        func text(_ word: String) -> String {
            """
            #include "bpf.h"
            static long (*const task_pt_regs)(void *task) = (void *)BPF_FUNC_task_pt_regs;
            \(word) __noinline int registers(int number) { return task_pt_regs((void *)(long)number) != 0; }
            SEC("perf_event") int guarded(void *context)
            {
                return exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) ? registers(any()) : 0;
            }
            """
        }
        #expect(try BPFSource.object(text: text("static")).findings(5, 10) == [])
        // Until 6.8, kernels verify global functions on their own, even if they aren't called.
        #expect(try BPFSource.object(text: text("")).kinds(5, 10) == ["helper registers"])
    }

    @Test func releaseAndKindOfMapAreQuestionsWithAnswers() throws {
        let object = try BPFSource.object("other-guards")
        for (major, minor) in [(5, 10), (5, 16), (5, 17), (6, 1)] { #expect(object.findings(major, minor) == []) }
    }

    @Test func questionsWithoutAnswerLeaveBothWaysOpen() throws {
        #expect(try BPFSource.object("unknown-guard").kinds(5, 10) == ["helper by_configuration", "helper by_field"])
    }

    /// The verifier's first pass checks all instructions.
    @Test func newOpcodeIsRefusedEvenWhereItIsNeverExecuted() throws {
        func text(_ instruction: String) -> String {
            """
            #include "bpf.h"
            SEC("perf_event") int program(void *context)
            {
                if (exists(enum bpf_func_id, BPF_FUNC_user_ringbuf_drain))
                    asm volatile(".byte \(instruction)" ::: "r1", "memory");
                return any();
            }
            """
        }
        #expect(try BPFSource.object(text: text("0xd7, 1, 0, 0, 64, 0, 0, 0")).kinds(5, 10) == ["instruction program"])
        // A division's reserved field is only checked if it is executed.
        #expect(try BPFSource.object(text: text("0x37, 1, 1, 0, 3, 0, 0, 0")).findings(5, 10) == [])
    }

    @Test func functionOutsideOfTextCannotBeCalled() throws {
        let object = try BPFSource.object(
            text: """
                #include "bpf.h"
                SEC("elsewhere") __noinline int adds(int number) { return number + any(); }
                SEC("perf_event") int program(void *context) { return adds(1); }
                """)
        #expect(object.kinds(6, 1) == ["section adds", "unresolved-call program"])
        // A static function is called by its section's symbol, which has no name.
        let unnamed = try BPFSource.object(
            text: """
                #include "bpf.h"
                SEC("elsewhere") static __noinline int takes(int number) { return number - any(); }
                SEC("elsewhere") static __noinline int adds(int number) { return number + any(); }
                SEC("perf_event") int program(void *context) { return adds(1); }
                """)
        #expect(unnamed.findings(6, 1).last?.problem.hasPrefix("calls adds(), which isn't in .text") == true)
    }
}
