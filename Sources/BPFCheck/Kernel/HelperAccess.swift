enum HelperAccess {
    static let otherWords = KernelVersion(6, 10)
    struct Limit { let lastRefusal: KernelVersion; let since: KernelVersion? }
    static func limit(_ helper: Int, kind: String) -> Limit? { nil }
}
