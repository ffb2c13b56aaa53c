// Finds the functions of a file and counts their lines, from the keyword to the closing brace.

/// Where a function begins and how long it is.
struct FunctionLength: Equatable {
    let line: Int
    let lines: Int

    /// Every function of a file.
    static func all(in file: SourceFile) -> [FunctionLength] {
        switch file.language {
        case .swift: swift(file.code)
        case .c: braced(file.code) { !$0.hasPrefix(" ") && $0.contains("(") && !$0.contains("=") }
        case .python: python(file.code)
        case .shell: braced(file.code) { $0.contains("()") }
        }
    }

    private static func swift(_ code: [String]) -> [FunctionLength] {
        let text = Array(code.joined(separator: "\n").unicodeScalars)
        var found: [FunctionLength] = []
        var line = 1
        var previous: Unicode.Scalar = "\n"
        for place in text.indices {
            let scalar = text[place]
            // `.init` is a call, and a keyword inside a longer name is none.
            if !isWord(previous), previous != ".", let keyword = keyword(at: place, of: text),
                let lines = swiftBody(from: place + keyword.unicodeScalars.count, of: text)
            {
                found.append(FunctionLength(line: line, lines: lines))
            }
            if scalar == "\n" { line += 1 }
            previous = scalar
        }
        return found
    }

    private static func keyword(at place: Int, of text: [Unicode.Scalar]) -> String? {
        ["func", "init", "deinit", "subscript"].first { word in
            let end = place + word.unicodeScalars.count
            return end < text.count && !isWord(text[end]) && text[place..<end].elementsEqual(word.unicodeScalars)
        }
    }

    /// The lines up to the brace that closes the body; nil for a requirement, which has none.
    private static func swiftBody(from start: Int, of text: [Unicode.Scalar]) -> Int? {
        var depth = 0
        var braces = 0
        var lines = 1
        for place in start..<text.count {
            switch text[place] {
            case "(", "[": depth += 1
            case ")", "]": depth -= 1
            case "{" where depth == 0 || braces > 0: braces += 1
            case "}" where braces == 0 && depth == 0: return nil
            case "}" where braces > 0:
                braces -= 1
                if braces == 0 { return lines }
            case "\n":
                lines += 1
                // The next declaration of a protocol: this one had no body.
                if braces == 0 && depth == 0, place + 1 < text.count, startsDeclaration(at: place + 1, of: text) {
                    return nil
                }
            default: break
            }
        }
        return nil
    }

    private static func startsDeclaration(at place: Int, of text: [Unicode.Scalar]) -> Bool {
        let line = String(String.UnicodeScalarView(text[place...].prefix { $0 != "\n" }))
        let words = line.split { !$0.isLetter }
        return ["func", "init", "deinit", "subscript", "var", "let", "mutating", "static", "associatedtype"]
            .contains { $0 == words.first.map(String.init) }
    }

    /// For languages in which a function's braces close at the column where it begins.
    private static func braced(_ code: [String], begins: (String) -> Bool) -> [FunctionLength] {
        var found: [FunctionLength] = []
        var start: Int?
        for (index, line) in code.enumerated() {
            if start == nil, line.hasSuffix("{"), begins(line) || (index > 0 && line == "{" && begins(code[index - 1]))
            {
                start = line == "{" ? index - 1 : index
            } else if let first = start, line.hasPrefix("}") {
                found.append(FunctionLength(line: first + 1, lines: index - first + 1))
                start = nil
            }
        }
        return found
    }

    private static func python(_ code: [String]) -> [FunctionLength] {
        func indentation(_ line: String) -> Int? {
            line.allSatisfy { $0 == " " } ? nil : line.prefix { $0 == " " }.count
        }
        return code.indices.compactMap { index in
            let line = code[index].drop { $0 == " " }
            guard line.hasPrefix("def ") || line.hasPrefix("async def "), let own = indentation(code[index]) else {
                return nil
            }
            var last = index
            for next in code.indices[(index + 1)...] {
                guard let other = indentation(code[next]) else { continue }
                // A closing parenthesis of the head may stand in the function's own column.
                if other <= own && !code[next].drop(while: { $0 == " " }).hasPrefix(")") { break }
                last = next
            }
            return FunctionLength(line: index + 1, lines: last - index + 1)
        }
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar == "_" || ("0"..."9").contains(scalar)
    }
}
