import TableStore
import UnwindTable

// The first digits of a build id, and an address (SVMA), both in hexadecimal.
let (buildID, address) = (CommandLine.arguments[1], UInt64(CommandLine.arguments[2], radix: 16) ?? 0)
let table = try TableStore().lookup(buildIDPrefixHex: buildID)
try table.withUnsafeBytes { bytes in
    let view = try TableVerifier.verify(bytes)
    print(view.describe(view.ruleNumber(at: address)))
}
