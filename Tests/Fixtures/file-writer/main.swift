// What tests of Files run as a process of its own, to limit and to redirect.
//
//     file-writer PATH BYTES          writes so many bytes to PATH
//
// Prints the error and exits with 1 if there is one; 64 is wrong usage.
import Files
import Glibc

let arguments = CommandLine.arguments
guard arguments.count == 3, let count = Int(arguments[2]) else { exit(64) }
do {
    let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: count)
    try bytes.withUnsafeBytes { try OutputFile.write($0, to: arguments[1]) }
} catch {
    _ = Array("\(error)\n".utf8).withUnsafeBytes { Descriptor.write($0, to: STDERR_FILENO) }
    exit(1)
}
