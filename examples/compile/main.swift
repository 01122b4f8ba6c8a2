import ELF
import TableCompiler
import UnwindTable

let compiler = ImageCompiler()
let image = try ELFImage(path: "/bin/bash")
let result = try compiler.compile(image)
print("\(result.counts.rows) rows, \(result.table.count) bytes")

// Only the verifier creates views, so every lookup runs on a proved table.
let view = try TableVerifier.verify(result.table)
print(view.describe(view.ruleNumber(at: 0x2feb8)))
