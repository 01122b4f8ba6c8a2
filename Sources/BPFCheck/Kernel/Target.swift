/// The machines whose kernels differ in what they run.
public enum TargetMachine: String, CaseIterable, Hashable, Sendable {
    case x86_64 = "x86-64"
    case aarch64
}
