import ProfileService
import Testing

/// Where profiles are served.
@Suite struct ServiceAddressTests {
    @Test(arguments: [
        ("127.0.0.1:9090", ServiceAddress.network(host: "127.0.0.1", port: 9090), true),
        ("[::1]:0", .network(host: "::1", port: 0), true),
        ("localhost:80", .network(host: "127.0.0.1", port: 80), true),
        ("0.0.0.0:1", .network(host: "0.0.0.0", port: 1), false),
        ("[::]:1", .network(host: "::", port: 1), false),
        ("[::ffff:127.0.0.1]:1", .network(host: "::ffff:127.0.0.1", port: 1), false),
        ("10.0.0.1:65535", .network(host: "10.0.0.1", port: 65535), false),
        ("unix:/run/cfic.sock", .unix(path: "/run/cfic.sock"), true),
    ]) func addressesAreParsed(text: String, address: ServiceAddress, isLocal: Bool) {
        #expect(ServiceAddress(text) == address)
        #expect(ServiceAddress(text)?.isLocal == isLocal)
    }

    @Test(arguments: [
        "", ":9090", "9090", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.1:1", "example.org:80",
        "::1:80", "[::1]", "[::1:80", "[127.0.0.1]:80", "unix:", "unix:relative",
        "unix:/" + String(repeating: "x", count: 107),
    ]) func othersAreNot(text: String) { #expect(ServiceAddress(text) == nil) }
}
