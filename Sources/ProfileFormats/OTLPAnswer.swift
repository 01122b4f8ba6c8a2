/// What a server says of OTLP profiles that it was sent: `ExportProfilesServiceResponse` of opentelemetry-proto, v1development.
///
/// https://opentelemetry.io/docs/specs/otlp/#partial-success
package struct OTLPAnswer: Equatable {
    /// Profiles that it left out.
    package var rejectedProfiles: Int64 = 0
    /// Why, or a warning if it left out none; usually empty. Anything may be in it.
    package var message = ""

    /// - Parameter body: of a response whose status is a success. It may be hostile.
    package init(_ body: [UInt8]) {
        do { try read(body) } catch { message = "the answer is no ExportProfilesServiceResponse" }
    }

    private mutating func read(_ body: [UInt8]) throws(ProfileProblem) {
        var response = ProtobufReader(body, 0..<body.count)
        while let (field, value) = try response.next() {
            guard field == 1 else { continue }
            var partial = ProtobufReader(body, value.range)
            while let (field, value) = try partial.next() {
                switch field {
                case 1: rejectedProfiles = Int64(bitPattern: value.number)
                case 2: message = String(decoding: body[value.range], as: UTF8.self)
                default: break
                }
            }
        }
    }
}
