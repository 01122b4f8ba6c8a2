import Files

/// A JSON value, for output. Not encoded by Foundation, as the product's documents are: what memory this process takes
/// counts as that of those it measures (see `ProcessCost.peakMemory`).
indirect enum JSON: CustomStringConvertible {
    case null
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    /// Members in the order in which they are written.
    case object([(String, JSON)])

    static func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }

    var description: String {
        switch self {
        case .null: "null"
        case .integer(let value): "\(value)"
        // JSON has no infinities.
        case .number(let value): value.isFinite ? "\(value)" : "null"
        case .string(let text): Self.quoted(text)
        case .array(let values): "[" + values.map(\.description).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\(Self.quoted($0.0)):\($0.1)" }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                result += "\\u" + Hex.text(scalar.value, digits: 4)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
