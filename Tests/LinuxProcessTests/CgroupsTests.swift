import Foundation
import TestFixtures
import Testing

@testable import LinuxProcess

struct CgroupsTests {
    @Test(arguments: [
        ("30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup"),
        (
            """
            32 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
            33 24 0:29 /inner /mnt/part rw shared:4 master:2 - cgroup2 cgroup2 rw
            34 24 0:29 / /sys/fs/cgroup/unified rw shared:4 master:2 - cgroup2 cgroup2 rw
            """, "/sys/fs/cgroup/unified"
        ),
        ("32 24 0:28 / /cgroup2 rw - tmpfs cgroup2 rw\n", nil), ("- cgroup2\n", nil), ("", nil),
    ])
    func mountPointIsThatOfTheWholeHierarchy(text: String, mountPoint: String?) {
        #expect(Cgroups.mountPoint(in: text) == mountPoint)
    }

    @Test(.enabled(if: getuid() == 0, "needs root")) func cgroupsHavePaths() throws {
        var template = Array("/tmp/cfic-cgroup-test.XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let mountPoint = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        try #require(mount("none", mountPoint, "cgroup2", 0, nil) == 0)
        defer {
            umount2(mountPoint, Int32(MNT_DETACH))
            rmdir(mountPoint)
        }
        let name = "/cfic test-\(UInt32.random(in: 0 ... .max))"
        try #require(mkdir(mountPoint + name, 0o755) == 0)
        var (root, inner) = (stat(), stat())
        try #require(stat(mountPoint, &root) == 0 && stat(mountPoint + name, &inner) == 0)
        let cgroups = try #require(Cgroups(mountPoint: mountPoint))
        #expect(cgroups.path(of: UInt64(root.st_ino)) == "/")
        #expect(cgroups.path(of: UInt64(inner.st_ino)) == name)
        rmdir(mountPoint + name)
        #expect(cgroups.path(of: UInt64(inner.st_ino)) == nil)
        #expect(cgroups.path(of: .max) == nil)
    }
}
