import Foundation
import LinuxProcess
import TestFixtures
import Testing
@testable import KernelUnwinder

/// Events of processes while they are watched.
@Suite(
    .enabled(if: HostKernel.takesPrograms, "\(HostKernel.need)"),
    .timeLimit(.minutes(30)))
struct EventTests {
    /// Updates until a condition holds, for at most half a minute.
    private func update(_ unwinder: KernelUnwinder, until isSo: () -> Bool) -> [KernelUnwinder.Change] {
        update(unwinder) { _ in isSo() }
    }

    /// - Parameter isSo: called with all changes so far.
    private func update(
        _ unwinder: KernelUnwinder, until isSo: ([KernelUnwinder.Change]) -> Bool
    ) -> [KernelUnwinder.Change] {
        var changes: [KernelUnwinder.Change] = []
        for _ in 0..<3000 {
            changes += unwinder.update(unwinder.processEvents())
            if isSo(changes) { break }
            usleep(10_000)
        }
        return changes
    }

    private func maps(_ unwinder: KernelUnwinder, _ process: Int32, _ name: String) -> Bool {
        unwinder.images(of: process)?.mappings.contains { $0.name.contains(name) } == true
    }

    /// A sampled shell, and its child `sleep`, which has just started.
    private func shellAndChild() throws -> (shell: RunningProgram, child: Int32, unwinder: KernelUnwinder) {
        let shell = try RunningProgram(["/bin/bash", "-c", "read x; /bin/sleep 1000 & echo $!; wait; read x"])
        let unwinder = try KernelUnwinder()
        try unwinder.watchProcesses()
        try unwinder.addProcess(shell.id)
        try shell.write("\n")
        return (shell, try #require(Int32(try shell.line())), unwinder)
    }

    @Test func childIsListedAtOnceAndReadThen() throws {
        let (shell, child, unwinder) = try shellAndChild()
        defer { kill(child, SIGKILL) }
        #expect(unwinder.isListed(child))
        // If many other processes run, events may be lost, which is reported, too.
        let isToldOf = { (changes: [KernelUnwinder.Change]) in
            changes.contains { change in
                switch change.kind {
                case .exec: change.process == child
                case .lost: true
                default: false
                }
            }
        }
        // Its mappings may be read after its fork but before the event of its exec.
        let changes = update(unwinder) { changes in
            maps(unwinder, child, "/sleep") && maps(unwinder, child, "libc") && isToldOf(changes)
        }
        #expect(maps(unwinder, child, "/sleep") && unwinder.place(of: child) != 0)
        #expect(isToldOf(changes))
        kill(child, SIGKILL)
        _ = update(unwinder) { !unwinder.isListed(child) }
        #expect(!unwinder.isListed(child) && unwinder.isListed(shell.id))
    }

    @Test func programThatIsRunInsteadIsReadAnew() throws {
        let shell = try RunningProgram(["/bin/bash", "-c", "read x; exec /bin/sleep 1000"])
        let unwinder = try KernelUnwinder()
        try unwinder.watchProcesses()
        _ = update(unwinder) { (try? unwinder.addProcess(shell.id)) != nil && maps(unwinder, shell.id, "/bash") }
        let bash = unwinder.place(of: shell.id)
        try shell.write("\n")
        _ = update(unwinder) { maps(unwinder, shell.id, "/sleep") && maps(unwinder, shell.id, "libc") }
        #expect(maps(unwinder, shell.id, "/sleep") && !maps(unwinder, shell.id, "/bash"))
        let place = try #require(unwinder.place(of: shell.id))
        #expect(place != 0 && place != bash)
    }

    /// Without randomised addresses, an executable that runs itself again has the same mappings.
    @Test func programThatMapsTheSameIsNotForgotten() throws {
        let again = "echo ready; read x; exec /bin/bash -c 'echo again; read x'"
        let shell = try RunningProgram(["/usr/bin/setarch", "-R", "/bin/bash", "-c", again])
        #expect(try shell.line() == "ready")
        let unwinder = try KernelUnwinder()
        try unwinder.watchProcesses()
        try unwinder.addProcess(shell.id)
        try shell.write("\n")
        #expect(try shell.line() == "again")
        for _ in 0..<20 {
            _ = unwinder.update(unwinder.processEvents())
            usleep(5000)
        }
        #expect(unwinder.place(of: shell.id) != 0 && unwinder.isListed(shell.id))
    }

    /// What was published after an exec began may be superseded by it.
    @Test func newProgramThatWasForgottenIsReadAgain() throws {
        let unwinder = try KernelUnwinder()
        let program = try RunningProgram(["/bin/sleep", "1000"])
        try unwinder.addProcess(program.id)
        unwinder.planMemory = UpdatePlan.Memory(justBegun: [program.id: .max])
        try unwinder.expectProcess(program.id)
        _ = unwinder.update([])
        #expect(unwinder.place(of: program.id).map { $0 != 0 } == true)
        // Its mappings are known, so there is nothing to do.
        #expect(unwinder.update([]).isEmpty)
    }

    @Test func processWhoseFirstThreadEndedGoesOn() throws {
        let fixture = try Fixture()
        try fixture.write(
            Array(
                """
                #include <pthread.h>
                #include <stdio.h>
                #include <unistd.h>
                static void *other(void *argument)
                {
                    sleep(1);
                    puts("alone");
                    fflush(stdout);
                    getchar();
                    return argument;
                }
                int main(void)
                {
                    pthread_t thread;
                    pthread_create(&thread, 0, other, 0);
                    puts("ready");
                    fflush(stdout);
                    getchar();
                    pthread_exit(0);
                }

                """.utf8), to: "first-ends.c")
        let path = "\(fixture.directory)/first-ends"
        try run("gcc", "-pthread", "-o", path, path + ".c")
        let program = try RunningProgram([path])
        #expect(try program.line() == "ready")
        let unwinder = try KernelUnwinder()
        try unwinder.watchProcesses()
        try unwinder.addProcess(program.id)
        try program.write("\n")
        #expect(try program.line() == "alone")
        _ = unwinder.update(unwinder.processEvents())
        #expect(unwinder.isListed(program.id))
        // Its mappings are read through the remaining thread.
        unwinder.removeProcess(program.id)
        let images = try unwinder.addProcess(program.id)
        #expect(images.mappings.contains { $0.name == path && $0.image?.hasTable == true })
        #expect(images.mappings.contains { $0.name == "[vdso]" && $0.image?.hasTable == true })
        try program.write("\n")
        _ = update(unwinder) { !unwinder.isListed(program.id) }
        #expect(!unwinder.isListed(program.id))
    }

    /// Each CPU records its own events, and these buffers are read one after the other.
    @Test(.enabled(if: OnlineCPUs.list.count > 1, "needs two CPUs")) func eventsOfAllCPUsAreInTheOrderOfTime() throws {
        let unwinder = try KernelUnwinder()
        try unwinder.watchProcesses()
        let programs = try OnlineCPUs.list.reversed().map { cpu in
            let program = try RunningProgram(["/usr/bin/taskset", "-c", "\(cpu)", "/bin/true"])
            program.waitUntilExit()
            return program.id
        }
        let events = unwinder.processEvents()
        #expect(zip(events, events.dropFirst()).allSatisfy { $0.time <= $1.time })
        let ended = events.filter { $0.kind == .exited }.map(\.process)
        #expect(ended.filter(programs.contains) == programs)
    }

    @Test func lostEventsHaveAllProcessesReadAgain() throws {
        let (shell, child, unwinder) = try shellAndChild()
        defer { withExtendedLifetime(shell) { _ = kill(child, SIGKILL) } }
        // Until its exec, which no event reports yet.
        for _ in 0..<500 where unwinder.place(of: child) != 0 { usleep(10_000) }
        usleep(100_000)
        _ = unwinder.processEvents()
        let lost = [ProcessEvent(process: 0, kind: .lost, time: 0)]
        _ = unwinder.update(lost)
        #expect(maps(unwinder, child, "/sleep") && unwinder.place(of: child) != 0)
        kill(child, SIGKILL)
        for _ in 0..<500 where (try? MemoryMap(of: child))?.mappings.isEmpty == false { usleep(10_000) }
        _ = unwinder.update(lost)
        #expect(!unwinder.isListed(child))
    }
}
