// function.yaml as settings. Yams reads the YAML; what is more than a flat list of settings is refused here.

import Model
import Yams

/// Reads the YAML of a manifest.
enum ManifestFile {
    /// References (`*name`) in the whole text, before it is parsed: nested ones multiply, and Yams would follow them
    /// all. Eight can't multiply far, and then any of them is refused by its place.
    private static let referencesMax = 8

    static func read(_ bytes: [UInt8]) throws(ManifestError) -> [Setting] {
        guard bytes.count <= Manifest.bytesMax else {
            throw ManifestError(
                .file(line: 1, column: 1), "the file has \(bytes.count) bytes, at most \(Manifest.bytesMax) are allowed"
            )
        }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        guard let text = String(validating: bytes.starts(with: mark) ? bytes[3...] : bytes[...], as: UTF8.self) else {
            throw ManifestError(.file(line: 1, column: 1), "the file is not UTF-8; save it as UTF-8")
        }
        try refuseManyReferences(text)
        // The parser keeps the anchors alive that its nodes only know weakly.
        let parser: Parser
        let root: Node?
        do {
            parser = try Parser(yaml: text, encoding: .utf8)
            root = try parser.singleRoot()
        } catch {
            throw problem(error, in: text)
        }
        return try withExtendedLifetime(parser) { () throws(ManifestError) in try settings(of: root) }
    }

    private static func settings(of root: Node?) throws(ManifestError) -> [Setting] {
        // An empty file is as good as none: parameters may say it all.
        guard let root, root.scalar?.string.isEmpty != true else { return [] }
        try refuseReference(root)
        guard let mapping = root.mapping else {
            throw ManifestError(place(root), "expected lines of key: value, such as name: hello")
        }
        var settings: [Setting] = []
        for (keyNode, valueNode) in mapping {
            let name = try text(keyNode, key: nil, expected: "a key")
            guard let key = ManifestKey(rawValue: name) else {
                throw ManifestError(place(keyNode), key: shown(name), ManifestKey.unknown(name))
            }
            try refuseReference(valueNode)
            settings.append(Setting(key: key, value: try value(valueNode, of: key), place: place(valueNode)))
        }
        return settings
    }

    private static func value(_ node: Node, of key: ManifestKey) throws(ManifestError) -> Setting.Value {
        if key == .env { return .variables(try variables(node)) }
        guard key.isList, let sequence = node.sequence else {
            return .text(try text(node, key: key.rawValue, expected: key.expectation))
        }
        var texts: [(text: String, place: ManifestError.Place)] = []
        for item in sequence {
            texts.append((try text(item, key: key.rawValue, expected: key.expectation), place(item)))
        }
        return .texts(texts)
    }

    private static func variables(
        _ node: Node
    ) throws(ManifestError) -> [(name: String, text: String, place: ManifestError.Place)] {
        guard let mapping = node.mapping else {
            throw ManifestError(place(node), key: "env", "expected \(ManifestKey.env.expectation)")
        }
        var variables: [(name: String, text: String, place: ManifestError.Place)] = []
        for (nameNode, valueNode) in mapping {
            let name = try text(nameNode, key: "env", expected: "a variable's name")
            let key = "env.\(shown(name))"
            let value = try text(valueNode, key: key, expected: "a text, a number, true or false")
            guard !isNull(valueNode) else {
                throw ManifestError(place(valueNode), key: key, "has no value; write \"\" for an empty one")
            }
            variables.append((name, value, place(valueNode)))
        }
        return variables
    }

    /// The text of a scalar just as it was written: `1.10` stays `1.10`.
    private static func text(_ node: Node, key: String?, expected: String) throws(ManifestError) -> String {
        try refuseReference(node)
        guard let scalar = node.scalar else {
            let found = node.sequence == nil ? "a mapping" : "a list"
            throw ManifestError(place(node), key: key, "expected \(expected), not \(found)")
        }
        let plain: [Tag.Name] = [.implicit, .str, .int, .float, .bool, .null, .timestamp, .nonSpecific]
        guard plain.map(\.rawValue).contains(scalar.tag.rawValue) else {
            throw ManifestError(
                place(node), key: key, "the tag \(shown(scalar.tag.rawValue)) is not understood; leave it out")
        }
        return scalar.string
    }

    private static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func refuseReference(_ node: Node) throws(ManifestError) {
        guard node.anchor == nil else {
            throw ManifestError(place(node), "anchors (&name, *name) are not understood here; write the value out")
        }
    }

    private static func refuseManyReferences(_ text: String) throws(ManifestError) {
        var before = UInt8(ascii: " ")
        var isAfterStar = false
        var count = 0
        for byte in text.utf8 {
            let isName =
                byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte >= 0x30 && byte <= 0x39
            if isAfterStar && (isName || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")) { count += 1 }
            isAfterStar = byte == UInt8(ascii: "*") && " \n\r\t,[{:?-".utf8.contains(before)
            before = byte
        }
        guard count <= referencesMax else {
            throw ManifestError(
                .file(line: 1, column: 1),
                "the text has \(count) references (*name); they are not understood here: write the values out")
        }
    }

    private static func place(_ node: Node) -> ManifestError.Place {
        .file(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    private static func problem(_ error: any Error, in text: String) -> ManifestError {
        guard let error = error as? YamlError else { return ManifestError(.file(line: 1, column: 1), "\(error)") }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return ManifestError(.file(line: mark.line, column: mark.column), "this is no YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return ManifestError(
                .file(line: context.mark.line, column: context.mark.column), key: duplicates.first.map(shown),
                "is there twice; write it once")
        case .reader(let problem, let offset, _, _):
            let line = text.prefix(offset ?? 0).count { $0.isNewline } + 1
            return ManifestError(.file(line: line, column: 1), "this is no YAML: \(problem)")
        default: return ManifestError(.file(line: 1, column: 1), "this is no YAML: \(error)")
        }
    }
}
