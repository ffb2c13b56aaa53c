// Tables for people: columns as wide as their contents, made to fit the terminal.

/// Rows under titles.
struct Table {
    /// Numbers stand right, all else left.
    enum Alignment {
        case left, right
    }

    /// A title, and what may be done to the column when room is short.
    struct Column {
        let title: String
        var alignment = Alignment.left
        /// May be cut, with an ellipsis, down to ``widthMin``.
        var isShrinkable = false
        /// Which columns go first when the terminal is too narrow: the highest. 0 stays.
        var dropOrder = 0
        /// Left out when no row has anything to say in it.
        var hidesWhenEmpty = false
        /// Not narrower than this, so that rows printed later stand under the same titles.
        var widthAtLeast = 0

        init(
            _ title: String, _ alignment: Alignment = .left, shrinks: Bool = false, drop: Int = 0, atLeast: Int = 0,
            hides: Bool = false
        ) {
            self.title = title
            self.alignment = alignment
            isShrinkable = shrinks
            dropOrder = drop
            widthAtLeast = atLeast
            hidesWhenEmpty = hides
        }
    }

    /// Text, made fit to be shown, with its colour.
    struct Cell: ExpressibleByStringLiteral {
        let text: String
        var colour: Output.Colour?

        init(_ text: String, _ colour: Output.Colour? = nil) {
            self.text = Printable.line(text)
            self.colour = colour
        }

        init(stringLiteral value: String) { self.init(value) }

        /// Whether there is something to read in it.
        var isEmpty: Bool { text.isEmpty || text == "-" }

        /// A number, or `-` where there is none.
        init(_ number: Int?) { self.init(number.map(String.init) ?? "-") }
    }

    let columns: [Column]
    var rows: [[Cell]] = []

    /// A column that may shrink keeps this much: enough to tell names apart.
    static let widthMin = 8
    private static let gap = "  "

    /// The lines of the table, for `output`; all columns whole when it is no terminal.
    func render(for output: Output, withTitles: Bool = true) -> String {
        render(width: output.width, withTitles: withTitles) { output.paint($0, $1) }
    }

    /// - Parameter width: columns of the terminal; nil sets no limit.
    func render(width limit: Int?, withTitles: Bool = true, paint: (Output.Colour, String) -> String) -> String {
        let layout = layout(limit: limit)
        var text = ""
        if withTitles {
            text += line(columns.map { Cell($0.title, .dim) }, layout, paint)
        }
        for row in rows { text += line(row, layout, paint) }
        return text
    }

    /// The columns that are shown, with their widths.
    private func layout(limit: Int?) -> [(index: Int, width: Int)] {
        let filled = columns.indices.filter { index in
            !columns[index].hidesWhenEmpty || rows.contains { !$0[index].isEmpty }
        }
        var shown = filled.map { index in
            let contents = rows.map { Printable.width($0[index].text) }.max() ?? 0
            return (index: index, width: max(contents, columns[index].title.count, columns[index].widthAtLeast))
        }
        guard let limit else { return shown }
        func total(_ widths: [Int]) -> Int { widths.reduce(0, +) + Self.gap.count * (widths.count - 1) }
        func narrowest(_ column: (index: Int, width: Int)) -> Int {
            columns[column.index].isShrinkable ? min(column.width, Self.widthMin) : column.width
        }
        while total(shown.map(narrowest)) > limit {
            let last = shown.indices.max { columns[shown[$0].index].dropOrder < columns[shown[$1].index].dropOrder }
            guard let last, columns[shown[last].index].dropOrder > 0 else { break }
            shown.remove(at: last)
        }
        // The widest gives way first, so that short names stay whole.
        while total(shown.map(\.width)) > limit {
            let candidates = shown.indices.filter { shown[$0].width > narrowest(shown[$0]) }
            guard let widest = candidates.max(by: { shown[$0].width < shown[$1].width }) else { break }
            shown[widest].width -= 1
        }
        return shown
    }

    private func line(
        _ cells: [Cell], _ layout: [(index: Int, width: Int)], _ paint: (Output.Colour, String) -> String
    ) -> String {
        var parts: [String] = []
        for (position, (index, width)) in layout.enumerated() {
            let cell = cells[index]
            let text = Self.cut(cell.text, to: width)
            let padding = String(repeating: " ", count: max(0, width - Printable.width(text)))
            let painted = cell.colour.map { paint($0, text) } ?? text
            let isLast = position == layout.count - 1
            switch columns[index].alignment {
            case .right: parts.append(padding + painted)
            case .left: parts.append(isLast ? painted : painted + padding)
            }
        }
        var line = parts.joined(separator: Self.gap)
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }

    /// The text in at most `width` columns; an ellipsis stands for what is missing.
    static func cut(_ text: String, to width: Int) -> String {
        guard Printable.width(text) > width else { return text }
        var result = ""
        var used = 0
        for character in text {
            used += Printable.width(character)
            guard used <= width - 1 else { break }
            result.append(character)
        }
        return result + "…"
    }
}

/// Names with their values, one a line, for one thing in detail.
struct Sheet {
    private var lines: [(name: String, value: String)] = []

    /// Adds a line; nothing for an empty value.
    mutating func add(_ name: String, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        lines.append((name, Printable.line(value)))
    }

    /// The values stand under each other, indented by two.
    func render(for output: Output) -> String {
        let width = lines.map(\.name.count).max() ?? 0
        return lines.map { name, value in
            let padding = String(repeating: " ", count: width - name.count)
            return "  " + output.paint(.dim, name) + padding + "  \(value)\n"
        }.joined()
    }
}
