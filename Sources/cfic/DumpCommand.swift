import ArgumentParser
struct DumpCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "dump") }
