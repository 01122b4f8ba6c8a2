import Files
import Glibc

/// The user on whose behalf root runs.
enum CallingUser {
    /// Who called sudo; nil without sudo.
    static var ofSudo: AtomicFile.Owner? {
        guard geteuid() == 0, let user = number("SUDO_UID"), let group = number("SUDO_GID") else { return nil }
        return AtomicFile.Owner(user: user, group: group)
    }

    private static func number(_ variable: String) -> UInt32? {
        // The largest stands for no user in chown(2).
        getenv(variable).flatMap { UInt32(String(cString: $0)) }.flatMap { $0 == .max ? nil : $0 }
    }
}
