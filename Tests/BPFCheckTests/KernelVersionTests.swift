import BPFCheck
import Testing

@Suite struct KernelVersionTests {
    @Test(arguments: [
        ("5.10", 5, 10), ("5.10.0", 5, 10), ("v6.1", 6, 1), ("5.10.0-32-amd64", 5, 10),
        ("6.12.118+deb13-cloud-amd64", 6, 12),
        ("6.19-rc3", 6, 19), ("5.4", 5, 4), ("10.0", 10, 0),
    ])
    func versionsAsPeopleAndUnameWriteThem(text: String, major: Int, minor: Int) {
        #expect(KernelVersion(text) == KernelVersion(major, minor))
    }

    @Test(arguments: [
        "", "5", "5.", ".10", "five.ten", "5.x", "5,10", "-5.10", "5.-1", "999999999999999999999.1", "5.1000",
    ])
    func whatIsNoVersion(text: String) {
        #expect(KernelVersion(text) == nil)
    }

    @Test func versionsAreOrderedByNumberAndNotByText() {
        #expect(KernelVersion(5, 4) < KernelVersion(5, 10) && KernelVersion(5, 19) < KernelVersion(6, 0))
    }
}
