// "did you mean": the known word nearest to one that is not known. A hint is only given when it is probably right.

/// Finds the word somebody probably meant.
enum Suggestion {
    /// - Returns: nil when nothing is near: more than one change for each three characters, or two in all.
    static func nearest(to word: String, among known: [String]) -> String? {
        // A longer word is no typing error, and comparing costs the product of both lengths.
        guard word.utf8.count <= 40 else { return nil }
        let ranked = known.map { (word: $0, distance: distance(word.lowercased(), $0.lowercased())) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= Swift.min(2, Swift.max(1, best.word.count / 3)) ? best.word : nil
    }

    /// Characters to insert, remove or replace to get from one word to the other; two neighbours that changed places
    /// count as one. Source: optimal string alignment distance.
    static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left)
        let b = Array(right)
        var rows = [Array(0...b.count)]
        for i in 1..<(a.count + 1) {
            var row = [i]
            for j in 1..<(b.count + 1) {
                let change = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                var best = Swift.min(rows[i - 1][j] + 1, row[j - 1] + 1, change)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    best = Swift.min(best, rows[i - 2][j - 2] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
