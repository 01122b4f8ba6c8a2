import Files

/// The page of a flame graph without its data. Its sources are in Page/, and in the binary.
package enum FlameGraphPage {
    /// A piece of the page, in order.
    package enum Piece {
        case text([UInt8])
        /// The title goes here, as HTML.
        case title
        /// The profile goes here, as JSON in which no `<` occurs.
        case data
    }

    package static let pieces: [Piece] = {
        var pieces: [Piece] = []
        var rest = PackageResources.page_html[...]
        while let open = rest.firstRange(of: Array("{{".utf8)), let close = rest.firstRange(of: Array("}}".utf8)) {
            pieces.append(.text(Array(rest[..<open.lowerBound])))
            pieces.append(piece(String(decoding: rest[open.upperBound..<close.lowerBound], as: UTF8.self)))
            rest = rest[close.upperBound...]
        }
        return pieces + [.text(Array(rest))]
    }()

    /// The piece for a `{{name}}` in page.html.
    private static func piece(_ name: String) -> Piece {
        switch name {
        case "title": .title
        case "data": .data
        case "policy": .text(Array(policy.utf8))
        case "style": .text(PackageResources.page_css)
        case "script": .text(script)
        default: preconditionFailure("page.html has a {{\(name)}}, which this doesn't know")
        }
    }

    /// Each file is a part of one script; later ones use earlier ones.
    private static let script: [UInt8] = [
        PackageResources.data_js, PackageResources.calls_js, PackageResources.callers_js, PackageResources.search_js,
        PackageResources.colours_js, PackageResources.graph_js, PackageResources.keys_js, PackageResources.table_js,
        PackageResources.words_js, PackageResources.page_js,
    ].reduce(into: []) { $0 += $1 }

    /// Content-Security-Policy, level 2: this script and this style, and nothing else from anywhere.
    private static let policy =
        "default-src 'none'; script-src '\(hash(script))'; style-src '\(hash(PackageResources.page_css))'; "
        + "base-uri 'none'; form-action 'none'"

    private static func hash(_ bytes: [UInt8]) -> String {
        "sha256-" + base64(Digest.sha256(bytes))
    }

    /// RFC 4648, section 4.
    private static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0...3 {
                text.append(digit <= group.count ? digits[bits >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
