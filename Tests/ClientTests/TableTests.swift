// Tables, numbers in words, and the gauge of taibai top: pure functions.

import Model
import Testing

@testable import Client
@testable import taibai

@Suite struct `Tables` {
    private func render(_ table: Table, width: Int?) -> [String] {
        table.render(width: width) { _, text in text }.split(separator: "\n").map(String.init)
    }

    private var table: Table {
        var table = Table(columns: [
            .init("NAME", shrinks: true), .init("COUNT", .right), .init("NOTE", drop: 1), .init("EXTRA", drop: 2),
        ])
        table.rows = [["a-rather-long-name", "7", "first", "x"], ["b", "1234567", "second", "yy"]]
        return table
    }

    @Test func `are as wide as their contents where nothing limits them`() {
        #expect(
            render(table, width: nil) == [
                "NAME                  COUNT  NOTE    EXTRA", "a-rather-long-name        7  first   x",
                "b                   1234567  second  yy",
            ])
    }

    @Test func `shorten names first, then leave out what matters least`() {
        #expect(render(table, width: 37)[1] == "a-rather-lon…        7  first   x")
        #expect(render(table, width: 30)[1] == "a-rather-lon…        7  first")
        #expect(render(table, width: 20)[1] == "a-rather-l…        7")
    }

    @Test(arguments: 17...60)
    func `never are wider than the terminal`(width: Int) {
        #expect(render(table, width: width).allSatisfy { $0.count <= width })
    }

    @Test func `count the columns that a terminal uses`() {
        #expect(Printable.width("太白山") == 6)
        #expect(Printable.width("e\u{301}") == 1)
        #expect(Table.cut("太白山太白山", to: 7) == "太白山…")
        var table = Table(columns: [.init("A"), .init("B")])
        table.rows = [["太白", "x"], ["abcde", "y"]]
        #expect(render(table, width: nil)[1] == "太白   x")
    }

    @Test func `leave out a column that nobody fills, if they may`() {
        var table = Table(columns: [.init("A"), .init("B", hides: true), .init("C", hides: true)])
        table.rows = [["1", "-", ""], ["2", "", "x"]]
        #expect(render(table, width: nil) == ["A  C", "1", "2  x"])
    }

    @Test func `show control characters harmless`() {
        #expect(Table.Cell("a\u{1B}[2Jb\tc").text == "a\u{FFFD}[2Jb    c")
    }

    @Test func `are coloured without changing their widths`() {
        var table = Table(columns: [.init("A"), .init("B")])
        table.rows = [[.init("x", .green), "y"]]
        #expect(table.render(width: nil) { "<\($0)>\($1)</>" } == "<dim>A</>  <dim>B</>\n<green>x</>  y\n")
    }
}

@Suite struct `Numbers in words` {
    @Test(
        arguments: [
            (nil, "-"), (0, "0"), (0.004, "0"), (0.42, "0.42ms"), (0.999, "1.00ms"), (3.14, "3.1ms"), (9.96, "10ms"),
            (120.4, "120ms"), (999.6, "1.00s"), (1240, "1.24s"), (59_999, "59s"), (125_000, "2m5s"),
        ] as [(Double?, String)])
    func `milliseconds`(value: Double?, text: String) {
        #expect(Human.milliseconds(value) == text)
    }

    @Test(
        arguments: [
            (nil, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1234, "1.2 KiB"), (24 << 20, "24 MiB"),
            (1 << 40, "1.0 TiB"), (1 << 50, "1024 TiB"),
        ] as [(Int?, String)])
    func `bytes`(count: Int?, text: String) {
        #expect(Human.bytes(count) == text)
    }

    @Test(arguments: [
        (0, "now"), (999, "now"), (-12_300, "12s ago"), (42_000, "in 42s"), (-190_000, "3m10s ago"),
        (-7_215_000, "2h ago"), (-452_000_000, "5d5h ago"),
    ])
    func `distances`(milliseconds: Int64, text: String) {
        let now = WallTime(milliseconds: 1_800_000_000_000)
        #expect(Human.distance(now + .milliseconds(milliseconds), from: now) == text)
    }
}

@Suite struct `The gauge of a pool` {
    private func gauge(busy: Int, ready: Int, starting: Int) -> String {
        TopText.gauge(
            RemotePool(json: ["busy": .init(busy), "ready": .init(ready), "starting": .init(starting)]))
    }

    @Test func `has a square for each worker`() {
        #expect(gauge(busy: 2, ready: 1, starting: 1) == "■■□▒")
        #expect(gauge(busy: 0, ready: 0, starting: 0) == "")
    }

    @Test func `keeps its length, and shows one busy worker of many`() {
        #expect(gauge(busy: 1, ready: 999, starting: 0) == "■" + String(repeating: "□", count: 15))
        #expect(gauge(busy: 1000, ready: 0, starting: 1000).count == 16)
    }
}
