import ArgumentParser
import Files
import Glibc
import Symbols
import UnwindTable

@main
struct CFIC: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cfic",
        abstract: "Compile DWARF call frame information into bounded unwind tables for eBPF profilers.",
        discussion: """
            Compiles .eh_frame and .debug_frame of ELF files into flat tables, stored by build id, that a BPF program \
            can search within proven bounds. For x86-64 and aarch64, whatever the host.

            First steps:
              cfic compile /bin/bash          compile and store its table
              cfic stats /bin/bash            how much of its code can be unwound?
              cfic lookup /bin/bash 0x2f1b0   the rule at an address, as text
              sudo cfic profile -- COMMAND    where does it spend its time?
              sudo cfic top                   what is the machine doing just now?
              cfic report cpu.cfic            what is in a profile?

            Exit codes: 0 success; 1 an input or a check failed; 64 wrong usage.
            """,
        version: Producer.text,
        subcommands: [
            CheckBPFCommand.self, CompileCommand.self, DumpCommand.self, KernelCommand.self, LookupCommand.self,
            ProfileCommand.self, ReportCommand.self, SizesCommand.self, StatsCommand.self, TopCommand.self,
            ValidateCommand.self, VerifyCommand.self,
        ])

    static func main() {
        let arguments = CommandLine.exactArguments
        if let usual = UsualArguments(arguments) { return run(usual) }
        do {
            if arguments.first == "help", let name = unknownCommand(in: arguments.dropFirst()) {
                throw ValidationError("Unknown command '\(name)'.")
            }
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch {
            let code = exitCode(for: error)
            // The parser handles successful exits such as help. Other messages may contain what the user typed.
            if code.isSuccess { exit(withError: error) }
            var message = fullMessage(for: error)
            for argument in arguments where PrintableText.of(argument) != argument {
                message = message.replacing(argument, with: PrintableText.of(argument))
            }
            if !message.isEmpty { Diagnostics.noteLines(message) }
            Glibc.exit(code.rawValue)
        }
    }

    /// Exits if the compilation fails.
    private static func run(_ arguments: UsualArguments) {
        do {
            try reporting { try arguments.compilation().run() }
        } catch {
            Glibc.exit((error as? ExitCode ?? ExitCode(1)).rawValue)
        }
    }

    /// The name of an unknown command whose help is requested. `help` would show the general help instead.
    private static func unknownCommand(in names: ArraySlice<String>) -> String? {
        let commands = configuration.subcommands.map { $0.configuration.commandName ?? "" } + ["help"]
        let isKnown = names.first.map { commands.contains($0) || $0.hasPrefix("-") } ?? true
        return isKnown ? names.dropFirst().first { !$0.hasPrefix("-") } : names.first
    }
}

extension CommandLine {
    /// The arguments without the command's name, as strings that preserve their bytes (`String.init(path:)`).
    static var exactArguments: [String] {
        (1..<max(1, Int(argc))).compactMap { number in unsafeArgv[number].map { String(path: $0) } }
    }
}
