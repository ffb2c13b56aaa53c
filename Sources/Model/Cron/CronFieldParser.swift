// One field of a cron expression: lists, ranges, steps, names, `H`, and the special days `L LW 15W 5L 5#2`.

/// Reads one field into bits; thrown away afterwards.
struct CronFieldParser {
    let unit: CronUnit
    let seed: String
    /// Bit n stands for the value n; years go into ``years`` because they do not fit.
    private(set) var bits: UInt64 = 0
    private(set) var warnings: [String] = []
    private var years: Set<Int16> = []
    private var isEveryYear = false
    private var nearestWeekdays: UInt64 = 0
    private var hasLastDay = false
    private var hasLastWeekday = false
    private var lastOfWeekday: UInt64 = 0
    private var nthOfWeekday: UInt64 = 0

    /// - Parameter seed: what `H` chooses by.
    init(unit: CronUnit, seed: String) {
        self.unit = unit
        self.seed = seed
    }

    /// Reads the field; the offsets of the slice are the positions in errors.
    mutating func parse(_ field: ArraySlice<UInt8>) throws(CronError) {
        var rest = field
        if unit == .weekday, rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        let items = rest.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        for item in items {
            guard !item.isEmpty else {
                throw error(
                    at: item.startIndex, "a value of \(unit.name) is missing", "write it, or take the comma away")
            }
            try parseItem(item, isAlone: items.count == 1)
        }
    }

    /// Puts what was read where the search looks for it.
    func store(in fields: inout CronFields) {
        switch unit {
        case .second: fields.seconds = bits
        case .minute: fields.minutes = bits
        case .hour: fields.hours = bits
        case .day:
            fields.days = bits
            fields.nearestWeekdays = nearestWeekdays
            fields.hasLastDay = hasLastDay
            fields.hasLastWeekday = hasLastWeekday
        case .month: fields.months = bits
        case .weekday:
            // 7 is Sunday, as 0 is.
            fields.weekdays = (bits | bits >> 7) & CronFields.everyWeekday
            fields.lastOfWeekday = lastOfWeekday
            fields.nthOfWeekday = nthOfWeekday
        case .year: fields.years = isEveryYear ? [] : years.sorted()
        }
    }

    private func error(at position: Int, _ reason: String, _ hint: String) -> CronError {
        CronError(position: position, reason: reason, hint: hint)
    }

    private func text(of slice: ArraySlice<UInt8>) -> String { String(decoding: slice, as: UTF8.self) }

    // An item: a base, and a step perhaps.

    private mutating func parseItem(_ item: ArraySlice<UInt8>, isAlone: Bool) throws(CronError) {
        let slash = item.firstIndex(of: UInt8(ascii: "/"))
        let base = item[..<(slash ?? item.endIndex)]
        let step = try slash.map { slash throws(CronError) in try parseStep(item[(slash + 1)...]) }
        if try parseSpecialDay(base) {
            if let slash {
                throw error(at: slash, "'\(text(of: base))' takes no step", "take '\(text(of: item[slash...]))' away")
            }
            return
        }
        let isStar = base.count == 1 && base.first == UInt8(ascii: "*")
        if isStar || (base.count == 1 && base.first == UInt8(ascii: "?")) {
            guard isStar || ((unit == .day || unit == .weekday) && isAlone && step == nil) else {
                throw error(
                    at: base.startIndex, "'?' stands alone, in day-of-month or day-of-week only", "use '*' here")
            }
            insert(unit.range.lowerBound...unit.openEnd, step: step)
            warnOfUnevenStep(step, isAlone: isAlone)
        } else if base.first.map({ $0 | 0x20 }) == UInt8(ascii: "h") {
            try insertHashed(base, step: step)
        } else {
            try insertRange(base, step: step)
        }
    }

    private func parseStep(_ digits: ArraySlice<UInt8>) throws(CronError) -> Int {
        guard !digits.isEmpty else {
            throw error(at: digits.startIndex, "the step behind '/' is missing", "write a number, such as */5")
        }
        guard let step = number(digits) else {
            throw error(at: digits.startIndex, "'\(text(of: digits))' is no step", "write a number, such as */5")
        }
        guard step > 0 else {
            throw error(at: digits.startIndex, "the step is zero", "use 1 for every \(unit.name)")
        }
        guard step <= unit.stepMax else {
            throw error(
                at: digits.startIndex, "step \(step) is too large for \(unit.name)",
                "use a step of at most \(unit.stepMax), or a single value such as \(unit.range.lowerBound)")
        }
        return step
    }

    /// A range `a-b`, a single `a`, or `a/n`, which goes on to the end of the field.
    private mutating func insertRange(_ base: ArraySlice<UInt8>, step: Int?) throws(CronError) {
        guard !base.isEmpty else {
            throw error(at: base.startIndex, "there is nothing before '/'", "write '*' before it, or a first value")
        }
        guard let dash = base.firstIndex(of: UInt8(ascii: "-")) else {
            let low = try value(base)
            insert(low...(step == nil ? low : max(low, unit.openEnd)), step: step)
            return
        }
        let low = try value(base[..<dash])
        let high = try value(base[(dash + 1)...])
        guard low <= high else {
            let last = unit == .weekday ? 6 : unit.range.upperBound
            throw error(
                at: base.startIndex, "the range \(text(of: base)) goes backwards",
                "write it in two: \(low == last ? "\(low)" : "\(low)-\(last)"),"
                    + (high == unit.range.lowerBound ? "\(high)" : "\(unit.range.lowerBound)-\(high)"))
        }
        if let step, step > high - low, high > low {
            warnings.append(
                "\(unit.name) \(text(of: base))/\(step): the step is larger than the range, only \(low) remains")
        }
        insert(low...high, step: step)
    }

    private mutating func insert(_ range: ClosedRange<Int>, step: Int?) {
        if unit == .year, step == nil, range == unit.range { isEveryYear = true }
        for value in stride(from: range.lowerBound, through: range.upperBound, by: step ?? 1) {
            if unit == .year {
                years.insert(Int16(truncatingIfNeeded: value))
            } else {
                bits |= 1 << UInt64(value)
            }
        }
    }

    /// `*/7` in minutes comes at 56 and again at 0, four minutes later, which few expect.
    private mutating func warnOfUnevenStep(_ step: Int?, isAlone: Bool) {
        let count = unit.openEnd - unit.range.lowerBound + 1
        guard let step, isAlone, unit != .year, step < count, count % step != 0 else { return }
        let advice =
            switch unit {
            case .second: "; @every \(step)s is even"
            case .minute: "; @every \(step)m is even"
            case .hour: "; @every \(step)h is even"
            default: ""
            }
        warnings.append(
            "\(unit.name) */\(step) starts anew at \(unit.range.lowerBound) after each \(count), "
                + "so the last distance is shorter\(advice)")
    }

    // Values and special days.

    /// A number in range or a name. Names are case-insensitive.
    private func value(_ slice: ArraySlice<UInt8>) throws(CronError) -> Int {
        guard !slice.isEmpty else {
            throw error(at: slice.startIndex, "a value of \(unit.name) is missing", "use \(allowedValues)")
        }
        if let number = number(slice) {
            guard unit.range.contains(number) else {
                throw error(at: slice.startIndex, "\(unit.name) \(number) is out of range", "use \(allowedValues)")
            }
            return number
        }
        let word = text(of: slice)
        guard let index = unit.names.firstIndex(of: word.lowercased()) else {
            throw error(at: slice.startIndex, "'\(word)' is no \(unit.name)", "use \(allowedValues)")
        }
        return unit.range.lowerBound + index
    }

    /// "0 to 7 or SUN to SAT", for hints.
    private var allowedValues: String {
        let numbers = "\(unit.range.lowerBound) to \(unit.range.upperBound)"
        guard let first = unit.names.first, let last = unit.names.last else { return numbers }
        return "\(numbers) or \(first.uppercased()) to \(last.uppercased())"
    }

    /// A whole number of ASCII digits; nil for anything else.
    private func number(_ slice: ArraySlice<UInt8>) -> Int? {
        // Read from the bytes, since a store with many jobs parses many of these at its start.
        guard (1...9).contains(slice.count) else { return nil }
        var number = 0
        for byte in slice {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }

    /// - Returns: whether `base` was one of `L`, `LW`, `nW` (day-of-month) or `dL`, `d#n` (day-of-week).
    private mutating func parseSpecialDay(_ base: ArraySlice<UInt8>) throws(CronError) -> Bool {
        guard unit == .day || unit == .weekday, number(base) == nil else { return false }
        let word = text(of: base).uppercased()
        switch unit {
        case .day where word == "L": hasLastDay = true
        case .day where word == "LW": hasLastWeekday = true
        case .day where word.hasSuffix("W") && word.count > 1:
            nearestWeekdays |= 1 << UInt64(try value(base.dropLast()))
        case .weekday where word == "L":
            throw error(at: base.startIndex, "'L' needs a weekday", "write 5L or FRIL for the last Friday of the month")
        case .weekday where word.hasSuffix("L"):
            lastOfWeekday |= 1 << UInt64(try value(base.dropLast()) % 7)
        case .weekday where word.contains("#"):
            let hash = base.firstIndex(of: UInt8(ascii: "#")) ?? base.startIndex
            let weekday = try value(base[..<hash]) % 7
            let digits = base[(hash + 1)...]
            guard let count = number(digits), (1...5).contains(count) else {
                throw error(
                    at: digits.startIndex, "'\(text(of: digits))' is not one of 1 to 5",
                    "write 5#2 or FRI#2 for the second Friday of the month")
            }
            nthOfWeekday |= 1 << UInt64(8 * weekday + count)
        default: return false
        }
        return true
    }

    // Values chosen by the seed.

    /// `H`, `H/n`, `H(a-b)`, `H(a-b)/n`: the seed chooses the value, or the first one of a row with step n.
    private mutating func insertHashed(_ base: ArraySlice<UInt8>, step: Int?) throws(CronError) {
        var range = unit.hashRange
        if base.count > 1 {
            let inner = base.dropFirst(2).dropLast()
            guard base.dropFirst().first == UInt8(ascii: "("), base.last == UInt8(ascii: ")"),
                let dash = inner.firstIndex(of: UInt8(ascii: "-"))
            else {
                throw error(
                    at: base.startIndex, "'\(text(of: base))' is no \(unit.name)", "write H, H/5, H(0-29) or H(0-29)/10"
                )
            }
            let low = try value(inner[..<dash])
            let high = try value(inner[(dash + 1)...])
            guard low <= high else {
                throw error(
                    at: inner.startIndex, "the range \(text(of: inner)) goes backwards", "write the smaller value first"
                )
            }
            range = low...high
        }
        let choices = min(step ?? range.count, range.count)
        let first = range.lowerBound + Int(Self.hash(seed, unit) % UInt64(choices))
        insert(first...(step == nil ? first : range.upperBound), step: step)
    }

    /// FNV-1a over the seed and the field, then mixed, since the low bits of FNV alone are uneven for short texts.
    /// Kept for ever: another function would move the jobs of everybody who uses `H`. Source: the FNV reference by
    /// Fowler, Noll and Vo; the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    private static func hash(_ seed: String, _ unit: CronUnit) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in Array(seed.utf8) + [0, UInt8(truncatingIfNeeded: unit.rawValue)] {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return hash ^ hash >> 31
    }
}
