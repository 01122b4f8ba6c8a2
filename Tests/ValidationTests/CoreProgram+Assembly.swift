/// Stacks that end in hand-written assembly: that of libcrypto, which the openssl program runs.
///
/// Its functions have no symbols, so they are reached by counting instructions from functions that have. Loops there
/// take thousands, so that a few more or less make no difference.
extension CoreProgram {
    static let assembly = [
        cryptoWithoutExtensions, cryptoBlocksWithoutExtensions, cryptoVectors, cryptoDigest, cryptoStream,
        cryptoCounter, cryptoCurve,
    ]

    /// What OPENSSL_ia32cap says about the processor.
    private enum Processor: String {
        /// All that it has.
        case asItIs = ""
        /// Integers only: the same functions on any machine.
        case withoutExtensions = "0"
        /// Vectors, but no instructions made for SHA.
        case withoutSHA = ":~0x20000000"

        var environment: [String: String] { self == .asItIs ? [:] : ["OPENSSL_ia32cap": rawValue] }
    }

    private static let input = ["dd", "if=/dev/zero", "of=zeros", "bs=64k", "count=1"]

    private static func crypto(
        _ name: String, _ arguments: [String], key: [String]? = nil, on processor: Processor = .asItIs, stops: [Stop]
    ) -> Self {
        Self(
            name,
            build: [input] + (key.map { [["openssl", $0[0], "-out", "key.pem"] + $0[1...]] } ?? []),
            executable: "/usr/bin/openssl", arguments: arguments, environment: processor.environment, stops: stops)
    }

    /// Counts of instructions from a function of libcrypto, which is not loaded yet: so its name has to do, at the
    /// price of the few instructions that a debugger takes for a prologue.
    private static func stops(in function: String, _ name: String, after counts: Int...) -> [Stop] {
        var last = 0
        return counts.map { count in
            defer { last = count }
            let start = last == 0 ? ["tbreak \(function)", "continue"] : []
            return Stop(name: "\(name)-\(count)", commands: start + ["stepi \(count - last)"])
        }
    }

    /// SHA-256, then the multiplications of an RSA signature: CFAs in memory on the stack.
    static let cryptoWithoutExtensions = crypto(
        "crypto-without-extensions", ["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "zeros"],
        key: ["genrsa", "2048"], on: .withoutExtensions,
        stops: stops(in: "SHA256_Update", "sha256", after: 38, 75, 140, 420, 2000)
            + stops(in: "BN_mod_mul_montgomery", "montgomery", after: 55, 90, 200, 1000))

    /// AES as T-tables: a CFA in memory on the stack, and helpers that it calls.
    static let cryptoBlocksWithoutExtensions = cipher(
        "crypto-blocks-without-extensions", "aes-256-cbc", on: .withoutExtensions,
        stops: stops(in: "EVP_CipherUpdate", "aes-cbc", after: 100, 105, 115, 150, 200, 300, 600))

    /// SHA-256 by AVX2 where there is AVX2.
    static let cryptoVectors = crypto(
        "crypto-vectors", ["dgst", "-sha256", "zeros"], on: .withoutSHA,
        stops: stops(in: "SHA256_Update", "sha256", after: 50, 70, 140, 280, 1000))

    /// What the processor has for SHA-256 and for the exponentiation of an RSA signature.
    static let cryptoDigest = crypto(
        "crypto-digest", ["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "zeros"],
        key: ["genrsa", "2048"],
        stops: stops(in: "SHA256_Update", "sha256", after: 50, 140, 250)
            + stops(in: "BN_mod_exp_mont_consttime", "exponentiation", after: 900, 1200, 2100, 5000))

    static let cryptoStream = cipher(
        "crypto-stream", "chacha20", stops: stops(in: "EVP_CipherUpdate", "chacha20", after: 150, 300, 700))

    static let cryptoCounter = cipher(
        "crypto-counter", "aes-256-ctr", stops: stops(in: "EVP_CipherUpdate", "aes-ctr", after: 150, 300, 700))

    /// The curve P-256, whose functions call each other with arguments in registers of their own choice.
    static let cryptoCurve = crypto(
        "crypto-curve", ["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "zeros"],
        key: ["ecparam", "-genkey", "-name", "prime256v1"],
        stops: stops(in: "EC_POINT_mul", "p256", after: 1700, 2000, 2700, 2900, 3500, 4000))

    private static func cipher(
        _ name: String, _ cipher: String, on processor: Processor = .asItIs, stops: [Stop]
    ) -> Self {
        let key = String(repeating: "0f", count: 32), iv = String(repeating: "1e", count: 16)
        return crypto(
            name, ["enc", "-\(cipher)", "-K", key, "-iv", iv, "-in", "zeros", "-out", "encrypted"], on: processor,
            stops: stops)
    }
}
