/// A name from one of the C headers' lists, as in JSON: `UNKNOWN_INSTRUCTION` is `unknown-instruction`.
package func stableName(_ name: UnsafePointer<CChar>?, or other: String) -> String {
    guard let name else { return other }
    return String(cString: name).lowercased().map { $0 == "_" ? "-" : String($0) }.joined()
}
