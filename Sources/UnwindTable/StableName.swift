/// The name of a list in C as programs read it: `UNKNOWN_INSTRUCTION` is `unknown-instruction`.
package func stableName(_ name: UnsafePointer<CChar>?, or other: String) -> String {
    guard let name else { return other }
    return String(cString: name).lowercased().map { $0 == "_" ? "-" : String($0) }.joined()
}
