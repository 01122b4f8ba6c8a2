import TableStore
import Testing

struct DefaultDirectoryTests {
    @Test(
        arguments: [
            (["CFIC_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"], "/c"),
            (["CFIC_CACHE": "relative", "HOME": "/h"], "relative"),
            (["CFIC_CACHE": "", "XDG_CACHE_HOME": "/x", "HOME": "/h"], "/x/cfic"),
            (["XDG_CACHE_HOME": "relative", "HOME": "/h"], "/h/.cache/cfic"),
            (["XDG_CACHE_HOME": "", "HOME": "/h"], "/h/.cache/cfic"),
            (["HOME": ""], "/database/.cache/cfic"),
            ([:], "/database/.cache/cfic"),
        ] as [([String: String], String)])
    func comesFromTheEnvironment(variables: [String: String], expected: String) {
        #expect(TableStore.defaultDirectory(environment: { variables[$0] }, home: { "/database" }) == expected)
    }

    @Test func isUnknownWithoutAHome() {
        #expect(TableStore.defaultDirectory(environment: { _ in nil }, home: { nil }) == nil)
    }
}
