// Takes a file apart into code and comments, so that a rule about code is not broken by a sentence about it. It knows
// just enough of each language: comments and literals, no grammar.

/// The two layers of a text. Each has the text's length and line ends; what belongs to the other is a space.
struct Layers {
    private(set) var code: String
    private(set) var comments: String

    init(of text: String, in language: Language) {
        var splitter = Splitter(text: Array(text.unicodeScalars), language: language)
        splitter.readCode(untilParenthesis: false)
        code = String(String.UnicodeScalarView(splitter.code))
        comments = String(String.UnicodeScalarView(splitter.comments))
    }
}

private struct Splitter {
    private enum Layer { case code, comment, literal }

    private let text: [Unicode.Scalar]
    private let language: Language
    private var place = 0
    private(set) var code: [Unicode.Scalar] = []
    private(set) var comments: [Unicode.Scalar] = []

    init(text: [Unicode.Scalar], language: Language) {
        self.text = text
        self.language = language
        code.reserveCapacity(text.count)
        comments.reserveCapacity(text.count)
    }

    /// Reads code, up to the end or to the parenthesis that closes an interpolation.
    mutating func readCode(untilParenthesis isInterpolation: Bool) {
        var depth = 0
        while place < text.count {
            if startsComment() { continue }
            if startsLiteral() { continue }
            if isInterpolation {
                if text[place] == "(" { depth += 1 }
                if text[place] == ")" {
                    if depth == 0 { return }
                    depth -= 1
                }
            }
            take(.code)
        }
    }

    private mutating func startsComment() -> Bool {
        switch language {
        case .swift, .c:
            if isHere("//") {
                takeLine(.comment)
                return true
            }
            guard isHere("/*") else { return false }
            readBlockComment()
            return true
        case .python, .shell:
            // In a shell `#` begins a comment only where a word could begin.
            guard text[place] == "#", language == .python || place == 0 || " \t\n;(".unicodeScalars.contains(text[place - 1])
            else { return false }
            takeLine(.comment)
            return true
        }
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

    private mutating func startsLiteral() -> Bool {
        switch language {
        case .swift: return startsSwiftLiteral()
        case .c:
            guard text[place] == "\"" || text[place] == "'" else { return false }
            readQuoted(String(text[place]), escapes: true)
        case .python:
            guard text[place] == "\"" || text[place] == "'" else { return false }
            let triple = String(repeating: String(text[place]), count: 3)
            readQuoted(isHere(triple) ? triple : String(text[place]), escapes: true)
        case .shell:
            if isHere("<<") && !isHere("<<<") { return readHereDocument() }
            if text[place] == "\\" {
                take(.code)
                take(.literal)
                return true
            }
            guard text[place] == "\"" || text[place] == "'" else { return false }
            readQuoted(String(text[place]), escapes: text[place] == "\"")
        }
        return true
    }

    private mutating func startsSwiftLiteral() -> Bool {
        if text[place] == "`" {
            readQuoted("`", escapes: false)
            return true
        }
        var hashes = 0
        while place + hashes < text.count && text[place + hashes] == "#" { hashes += 1 }
        guard place + hashes < text.count, text[place + hashes] == "\"" else { return false }
        take(.code, hashes)
        readSwiftString(quotes: isHere("\"\"\"") ? "\"\"\"" : "\"", hashes: String(repeating: "#", count: hashes))
        return true
    }

    private mutating func readSwiftString(quotes: String, hashes: String) {
        take(.code, quotes.count)
        while place < text.count {
            if isHere(quotes + hashes) {
                take(.code, quotes.count + hashes.count)
                return
            }
            if isHere("\\\(hashes)(") {
                take(.code, 2 + hashes.count)
                readCode(untilParenthesis: true)
            } else {
                take(.literal, isHere("\\\(hashes)") ? 2 + hashes.count : 1)
            }
        }
    }

    private mutating func readQuoted(_ quote: String, escapes: Bool) {
        take(.code, quote.count)
        while place < text.count && !isHere(quote) { take(.literal, escapes && text[place] == "\\" ? 2 : 1) }
        take(.code, quote.count)
    }

    /// `<<WORD`: what follows up to a line with the word alone is data.
    private mutating func readHereDocument() -> Bool {
        let line = String(String.UnicodeScalarView(text[place...].prefix { $0 != "\n" }))
        let word = line.dropFirst(2).drop { "-'\"\\ ".contains($0) }.prefix { $0.isLetter || $0 == "_" }
        takeLine(.code)
        while place < text.count && !word.isEmpty {
            let start = place
            take(.literal)
            while place < text.count && text[place] != "\n" { take(.literal) }
            let content = String(String.UnicodeScalarView(text[start..<place]))
            if content.drop(while: \.isWhitespace) == word { break }
        }
        return true
    }

    private func isHere(_ string: String) -> Bool {
        var index = place
        for scalar in string.unicodeScalars {
            guard index < text.count, text[index] == scalar else { return false }
            index += 1
        }
        return true
    }

    private mutating func takeLine(_ layer: Layer) {
        while place < text.count && text[place] != "\n" { take(layer) }
    }

    private mutating func take(_ layer: Layer, _ count: Int = 1) {
        for _ in 0..<count where place < text.count {
            let scalar = text[place]
            let isLineEnd = scalar == "\n"
            code.append(layer == .code || isLineEnd ? scalar : " ")
            comments.append(layer == .comment || isLineEnd ? scalar : " ")
            place += 1
        }
    }
}
