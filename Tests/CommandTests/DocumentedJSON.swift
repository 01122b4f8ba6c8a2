import Foundation

/// The tables of docs/json.md, compared with JSON documents.
struct DocumentedJSON {
    private struct Field {
        var type: String
        var isOptional: Bool
    }

    /// Fields by heading. Duplicate headings and fields are problems.
    private var objects: [String: [String: Field]] = [:]
    private var included: [String: [(object: String, isOptional: Bool)]] = [:]
    /// Errors in the tables themselves.
    private(set) var problems: [String] = []
    /// The names of the documents: all headings of the first level except the title.
    private(set) var schemas: [String] = []

    init() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: root + "/docs/json.md")), as: UTF8.self)
        var heading = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("## ") || line.hasPrefix("### ") {
                heading = String(line.drop { $0 == "#" }.dropFirst())
                if line.hasPrefix("## ") { schemas.append(heading) }
                if objects[heading] != nil { problems.append("two objects are called \(heading)") }
                objects[heading] = [:]
            } else if line.hasPrefix("| `") || line.hasPrefix("| ["), !heading.isEmpty {
                add(line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }, to: heading)
            }
        }
    }

    /// `| fields | type | meaning | absent |`
    private mutating func add(_ cells: [String], to heading: String) {
        let isOptional = cells.count > 3 && !cells[3].isEmpty
        if let object = Self.link(cells[0]) {
            included[heading, default: []].append((object, isOptional))
            return
        }
        let names = cells[0].split(separator: ",").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
        let types = cells[1].components(separatedBy: ", ")
        if types.count != 1 && types.count != names.count { problems.append("\(heading): \(cells[0]): \(cells[1])") }
        for (index, name) in names.enumerated() {
            if objects[heading]?[name] != nil { problems.append("\(heading) has two fields \(name)") }
            objects[heading]?[name] = Field(
                type: types.count == 1 ? types[0] : types[min(index, types.count - 1)],
                isOptional: isOptional)
        }
    }

    /// `[thing](#thing)` → `thing`
    private static func link(_ text: String) -> String? {
        text.hasPrefix("[") ? text.dropFirst().split(separator: "]").first.map(String.init) : nil
    }

    private func fields(of object: String) -> [String: Field]? {
        guard var fields = objects[object] else { return nil }
        for (other, isOptional) in included[object] ?? [] {
            for (name, field) in self.fields(of: other) ?? [:] {
                fields[name] = Field(type: field.type, isOptional: field.isOptional || isOptional)
            }
        }
        return fields
    }

    // MARK: Comparing

    /// Fields that are printed but not documented, documented but not printed, or have another type.
    func problems(of document: JSONValue, schema: String) -> [String] {
        var problems: [String] = []
        guard case .object(var fields) = document else { return ["\(schema) is no object"] }
        if case .text(schema)? = fields.removeValue(forKey: "schema") {} else { problems.append("no schema \(schema)") }
        if case .integer? = fields.removeValue(forKey: "schemaVersion") {} else { problems.append("no schemaVersion") }
        check(.object(fields), schema, "", &problems)
        return problems
    }

    private func check(_ value: JSONValue, _ object: String, _ path: String, _ problems: inout [String]) {
        guard let documented = fields(of: object) else { return problems.append("\(path): no object \(object)") }
        guard case .object(let fields) = value else { return problems.append("\(path) is no object") }
        for (name, value) in fields {
            guard let field = documented[name] else { problems.append("\(path).\(name) is not documented"); continue }
            if name.wholeMatch(of: /[a-z][A-Za-z0-9]*/) == nil { problems.append("\(path).\(name) is not camelCase") }
            if (field.type == "bytes") != name.lowercased().hasSuffix("bytes") {
                problems.append("\(path).\(name) counts bytes by its name or its type alone")
            }
            check(value, type: field.type, "\(path).\(name)", &problems)
        }
        for (name, field) in documented where !field.isOptional && fields[name] == nil {
            problems.append("\(path).\(name) is missing")
        }
    }

    private func check(_ value: JSONValue, type: String, _ path: String, _ problems: inout [String]) {
        if let object = Self.link(type) { return check(value, object, path, &problems) }
        if type.hasPrefix("list of ") {
            guard case .list(let values) = value else { return problems.append("\(path) is no list") }
            for value in values { check(value, type: String(type.dropFirst(8)), path + "[]", &problems) }
            return
        }
        if !Self.isOfType(value, type) { problems.append("\(path) is no \(type): \(value)") }
    }

    private static func isOfType(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("address", .text(let text)): text.wholeMatch(of: /0x(0|[1-9a-f][0-9a-f]*)/) != nil
        case ("integer", .integer), ("bytes", .integer), ("number", .integer), ("number", .number): true
        case ("boolean", .boolean), ("text", .text), ("words", .text): true
        case ("name", .text(let text)): text.wholeMatch(of: /[a-z0-9]+(-[a-z0-9]+)*/) != nil
        case ("counts", .object(let values)): values.values.allSatisfy { isOfType($0, "integer") }
        case ("words by path", .object(let values)): values.values.allSatisfy { isOfType($0, "words") }
        default: false
        }
    }
}
