import ArgumentParser
import Files
import Profile
import ProfileFormats
import ProfileService
import UnwindTable

extension PushTarget.Format: ExpressibleByArgument {}

/// `--serve` and `--push`: a recording that others take profiles of while it goes on.
struct ServiceOptions: ParsableArguments {
    @Option(
        name: .customLong("serve"),
        help: ArgumentHelp(
            "Serve /metrics, /profile?seconds=N, /flamegraph?seconds=N and /healthz over HTTP at this address, such as "
                + "127.0.0.1:9090, [::1]:9090 or unix:/run/cfic.sock, instead of writing a profile at the end.",
            valueName: "address"))
    var address: String?

    @Option(
        help: ArgumentHelp(
            "A file with the bearer token that clients of --serve must send; required unless the address is local.",
            valueName: "file"), completion: .file())
    var serveTokenFile: String?

    @Option(
        name: .customLong("push"),
        help: ArgumentHelp(
            "Push profiles to this server again and again. The path tells what it takes: /v1development/profiles, or none, "
                + "OTLP; /ingest Pyroscope; /profiles/writeraw Parca. May be repeated.", valueName: "url"))
    var urls: [String] = []

    @Option(help: ArgumentHelp("What the servers take, whatever the URLs' paths are.", valueName: "format"))
    var pushFormat: PushTarget.Format?

    @Option(
        help: ArgumentHelp(
            "A file with headers for --push, one a line ('Authorization: Bearer ...'); one for all servers, or one for each.",
            valueName: "file"), completion: .file())
    var pushHeaderFile: [String] = []

    @Option(
        help: ArgumentHelp("The duration of a pushed profile, such as 10s or 1m. (default: 10s)", valueName: "time"))
    var every: String?

    func validate() throws {
        if let address, ServiceAddress(address) == nil {
            throw ValidationError(
                "--serve takes an address and a port, such as 127.0.0.1:9090 or [::1]:9090, or unix:/PATH; "
                    + "'\(address)' is neither.")
        }
        if serveTokenFile != nil, address == nil { throw ValidationError("--serve-token-file goes with --serve.") }
        if urls.isEmpty, pushFormat != nil || !pushHeaderFile.isEmpty || every != nil {
            throw ValidationError("--push-format, --push-header-file and --every go with --push.")
        }
        if pushHeaderFile.count > 1, pushHeaderFile.count != urls.count {
            throw ValidationError("--push-header-file is given once for all, or once for each --push, in their order.")
        }
        if every != nil, interval == nil {
            throw ValidationError("--every takes a time from 1s to 10m, such as 10s or 1m.")
        }
    }

    /// Whether there is anything to serve or push: then no profile is written at the end.
    var isOn: Bool { address != nil || !urls.isEmpty }

    private var interval: Duration? {
        guard let every else { return .seconds(10) }
        let unit = every.last.flatMap { ["s": 1, "m": 60][$0] }
        guard let number = Int(unit == nil ? every[...] : every.dropLast()), (1...600).contains(number) else {
            return nil
        }
        let seconds = number * (unit ?? 1)
        return seconds <= 600 ? .seconds(seconds) : nil
    }

    /// The service, which has its address already; nil if there is nothing to serve or push.
    func service(_ naming: NamingOptions) throws -> ProfileService? {
        guard isOn else { return nil }
        var options = ProfileService.Options()
        options.address = address.flatMap { ServiceAddress($0) }
        options.token = try serveTokenFile.map { path throws in try ServiceToken(file: path) }
        let headers = try pushHeaderFile.map { path throws in try PushTarget.headers(file: path) }
        options.targets = try urls.enumerated().map { index, url in
            try PushTarget(
                url: url, format: pushFormat,
                headers: headers.isEmpty ? [] : headers[headers.count == 1 ? 0 : index])
        }
        options.every = interval ?? .seconds(10)
        options.naming = naming
        options.version = Producer.text
        options.note = { Diagnostics.error($0) }
        return try ProfileService(options)
    }
}
