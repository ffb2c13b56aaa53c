// Which files of a folder stay out of its package.

import Glibc

/// Patterns of names that are not packed: a short standard list, and what the folder's `.taibaiignore` adds.
///
/// A line is a pattern with `*`, `?` and `[…]`. Without a slash it matches names at any depth (`*.log`); with one,
/// paths from the top of the folder (`data/raw`). A slash at the end means folders only. `#` begins a comment.
public struct IgnoreRules: Sendable {
    /// Left out of every package: what tools leave behind and no function needs when it runs.
    public static let standard = [
        ".git", ".hg", ".svn", "__pycache__", "*.pyc", ".venv", ".pytest_cache", ".mypy_cache", "node_modules/.cache",
        ".DS_Store", fileName,
    ]
    public static let fileName = ".taibaiignore"

    private struct Rule {
        let pattern: String
        let isAnchored: Bool
        let isForFolders: Bool
    }

    private var rules: [Rule]

    /// The standard list alone.
    public init() { rules = Self.standard.map(Self.rule) }

    /// The standard list and the lines of a `.taibaiignore` file.
    /// - Throws: ``PackageError`` for what other tools allow and this one does not: `!` and `**`.
    public init(file text: String) throws(PackageError) {
        self.init()
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let pattern = line.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
            let content = String(pattern)
            guard !content.isEmpty, !content.hasPrefix("#") else { continue }
            guard !content.hasPrefix("!"), !content.contains("**") else {
                throw PackageError(
                    path: "\(Self.fileName):\(index + 1)",
                    reason: "'!' and '**' are not supported; list what is to be left out with '*' only")
            }
            rules.append(Self.rule(content))
        }
    }

    private static func rule(_ text: String) -> Rule {
        let isForFolders = text.hasSuffix("/")
        var pattern = isForFolders ? String(text.dropLast()) : text
        let isAnchored = pattern.contains("/")
        if pattern.hasPrefix("/") { pattern.removeFirst() }
        return Rule(pattern: pattern, isAnchored: isAnchored, isForFolders: isForFolders)
    }

    /// - Parameter path: relative to the top of the folder.
    public func leavesOut(_ path: String, isFolder: Bool) -> Bool {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return rules.contains { rule in
            (isFolder || !rule.isForFolders) && fnmatch(rule.pattern, rule.isAnchored ? path : name, FNM_PATHNAME) == 0
        }
    }
}
