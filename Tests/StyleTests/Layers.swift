// Takes a file apart into code and comments, so that a rule about code is not broken by a sentence about it. It knows
// just enough of each language: comments and literals, no grammar.

/// The two layers of a text. Each has the text's lines; what belongs to the other is spaces.
struct Layers {
    let code: String
    let comments: String

    init(of text: String, in language: Language) {
        var splitter = Splitter(text: Array(text.utf8), language: language)
        splitter.readCode(isInterpolation: false)
        code = String(decoding: splitter.code, as: UTF8.self)
        comments = String(decoding: splitter.comments, as: UTF8.self)
    }
}

/// Bytes, since a debug build spends seconds on characters.
private struct Splitter {
    private enum Layer { case code, comment, literal }

    private let text: [UInt8]
    private let language: Language
    private var place = 0
    private(set) var code: [UInt8]
    private(set) var comments: [UInt8]

    private static let lineEnd = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")
    private static let hash = UInt8(ascii: "#")
    private static let backslash = UInt8(ascii: "\\")
    /// A byte that is none of these begins neither a comment nor a literal.
    private static let beginnings = Set("/#\"'`<\\()".utf8)
    /// What stands before a word of the shell.
    private static let beforeWords = Set(" \t\n;(".utf8)

    init(text: [UInt8], language: Language) {
        self.text = text
        self.language = language
        code = text.map { $0 == Self.lineEnd ? $0 : Self.space }
        comments = code
    }

    /// Reads code, up to the end or to the parenthesis that closes an interpolation.
    mutating func readCode(isInterpolation: Bool) {
        var depth = 0
        while place < text.count {
            let byte = text[place]
            guard Self.beginnings.contains(byte) else {
                take(.code)
                continue
            }
            if startsComment(byte) || startsLiteral(byte) { continue }
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            take(.code)
            if isInterpolation && depth < 0 { return }
        }
    }

    private mutating func startsComment(_ byte: UInt8) -> Bool {
        switch language {
        case .swift, .c:
            guard byte == UInt8(ascii: "/"), place + 1 < text.count else { return false }
            if text[place + 1] == byte {
                takeLine(.comment)
            } else if text[place + 1] == UInt8(ascii: "*") {
                readBlockComment()
            } else {
                return false
            }
        case .python, .shell:
            // In a shell `#` begins a comment only where a word could begin.
            guard byte == Self.hash,
                language == .python || place == 0 || Self.beforeWords.contains(text[place - 1])
            else { return false }
            takeLine(.comment)
        }
        return true
    }

    private mutating func readBlockComment() {
        var depth = 0
        repeat {
            if isHere("/*"), language == .swift || depth == 0 {
                depth += 1
                take(.comment, 2)
            } else if isHere("*/") {
                depth -= 1
                take(.comment, 2)
            } else {
                take(.comment)
            }
        } while depth > 0 && place < text.count
    }

    private mutating func startsLiteral(_ byte: UInt8) -> Bool {
        let isDouble = byte == UInt8(ascii: "\"")
        let isQuote = isDouble || byte == UInt8(ascii: "'")
        switch language {
        case .swift: return startsSwiftLiteral(byte)
        case .c:
            guard isQuote else { return false }
            readQuoted(isDouble ? "\"" : "'", escapes: true)
        case .python:
            guard isQuote else { return false }
            let triple = isDouble ? "\"\"\"" : "'''"
            readQuoted(isHere(triple) ? triple : isDouble ? "\"" : "'", escapes: true)
        case .shell:
            if isHere("<<") && !isHere("<<<") { return readHereDocument() }
            if byte == Self.backslash {
                take(.code)
                take(.literal)
                return true
            }
            guard isQuote else { return false }
            readQuoted(isDouble ? "\"" : "'", escapes: isDouble)
        }
        return true
    }

    private mutating func startsSwiftLiteral(_ byte: UInt8) -> Bool {
        if byte == UInt8(ascii: "`") {
            readQuoted("`", escapes: false)
            return true
        }
        guard byte == UInt8(ascii: "\"") || byte == Self.hash else { return false }
        let hashes = text[place...].prefix { $0 == Self.hash }.count
        guard place + hashes < text.count, text[place + hashes] == UInt8(ascii: "\"") else { return false }
        take(.code, hashes)
        readSwiftString(quotes: isHere("\"\"\"") ? "\"\"\"" : "\"", hashes: String(repeating: "#", count: hashes))
        return true
    }

    private mutating func readSwiftString(quotes: String, hashes: String) {
        let end = quotes + hashes
        let escape = "\\\(hashes)"
        take(.code, quotes.utf8.count)
        while place < text.count {
            if text[place] == UInt8(ascii: "\""), isHere(end) {
                take(.code, end.utf8.count)
                return
            }
            if text[place] == Self.backslash, isHere(escape) {
                let isInterpolation = isHere("\(escape)(")
                take(isInterpolation ? .code : .literal, escape.utf8.count + 1)
                if isInterpolation { readCode(isInterpolation: true) }
            } else {
                take(.literal)
            }
        }
    }

    private mutating func readQuoted(_ quote: String, escapes: Bool) {
        take(.code, quote.utf8.count)
        while place < text.count {
            if text[place] == quote.utf8.first, isHere(quote) { break }
            take(.literal, escapes && text[place] == Self.backslash ? 2 : 1)
        }
        take(.code, quote.utf8.count)
    }

    /// `<<WORD`: what follows up to a line with the word alone is data.
    private mutating func readHereDocument() -> Bool {
        let head = String(decoding: text[place...].prefix { $0 != Self.lineEnd }, as: UTF8.self)
        let word = head.dropFirst(2).drop { "-'\"\\ ".contains($0) }.prefix { $0.isLetter || $0 == "_" }
        takeLine(.code)
        while place < text.count && !word.isEmpty {
            take(.literal)
            let start = place
            takeLine(.literal)
            let content = String(decoding: text[start..<place], as: UTF8.self)
            if content.drop(while: \.isWhitespace) == word { break }
        }
        return true
    }

    private func isHere(_ string: String) -> Bool {
        place + string.utf8.count <= text.count && text[place...].starts(with: string.utf8)
    }

    private mutating func takeLine(_ layer: Layer) {
        while place < text.count && text[place] != Self.lineEnd { take(layer) }
    }

    private mutating func take(_ layer: Layer, _ count: Int = 1) {
        for _ in 0..<count where place < text.count {
            if layer == .code { code[place] = text[place] } else if layer == .comment { comments[place] = text[place] }
            place += 1
        }
    }
}
