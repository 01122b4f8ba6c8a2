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

    @Test(arguments: [
        "4.18.0-553.el8.x86_64", "5.14.0-427.el9", "5.14.21-150500.55.7-default", "5.4.17-2136.el8uek.x86_64",
        "5.10.201-191.748.amzn2.x86_64",
    ])
    func vendorsKernelsSayThatTheyAre(text: String) throws {
        let release = try #require(KernelRelease(text))
        #expect(release.isVendors && release.caution?.contains("vendor's kernel") == true)
    }

    @Test(arguments: ["5.10", "6.12.118+deb13-cloud-amd64", "6.8.0-45-generic", "6.18.44-fc-v782", "6.1.0-56-amd64"])
    func othersDoNot(text: String) throws {
        #expect(KernelRelease(text)?.isVendors == false && KernelRelease(text)?.caution == nil)
    }

    @Test(arguments: ["4.19", "3.10.0-1160", "7.4", "10.0"])
    func releasesOutsideOfWhatIsKnownSaySo(text: String) {
        let caution = KernelRelease(text)?.caution ?? ""
        #expect(caution.hasPrefix("releases ") && caution.contains(" are not known; "), "\(caution)")
    }
}
