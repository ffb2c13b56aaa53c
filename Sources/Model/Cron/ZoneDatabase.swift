// The only file of Model that asks Foundation: which zones there are and when their clocks change. Everything else
// works on the table this file makes, so that finding the next due instant calls nobody.

import Foundation

/// The IANA time zone database as Foundation carries it.
enum ZoneDatabase {
    /// One change of a zone's clocks.
    struct Transition {
        /// Seconds since 1970, the first second of the new offset.
        let at: Int64
        /// Seconds east of UTC from then on.
        let offset: Int32
    }

    /// Every canonical name, and the short ones; sorted.
    static let identifiers = (TimeZone.knownTimeZoneIdentifiers.filter { $0.contains("/") } + namesWithoutSlash)
        .sorted()

    /// The database's names without a slash. Written out because Foundation also takes names that are not in the
    /// database, such as `PST` or `GMT+3`, and reads them in its own way. Source: tzdata 2025b, files `etcetera`,
    /// `backward`, `northamerica`, `europe`.
    private static let namesWithoutSlash: Set<String> = [
        "CET", "CST6CDT", "Cuba", "EET", "EST", "EST5EDT", "Egypt", "Eire", "GB", "GB-Eire", "GMT", "GMT+0", "GMT-0",
        "GMT0", "Greenwich", "HST", "Hongkong", "Iceland", "Iran", "Israel", "Jamaica", "Japan", "Kwajalein", "Libya",
        "MET", "MST", "MST7MDT", "NZ", "NZ-CHAT", "Navajo", "PRC", "PST8PDT", "Poland", "Portugal", "ROC", "ROK",
        "Singapore", "Turkey", "UCT", "UTC", "Universal", "W-SU", "WET", "Zulu",
    ]

    /// Whether the database has a zone of exactly this name; links such as `US/Pacific` count.
    static func contains(_ identifier: String) -> Bool {
        if namesWithoutSlash.contains(identifier) { return true }
        let isNameByte = { (byte: UInt8) in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: "+")
        }
        guard identifier.utf8.count <= 64, identifier.utf8.contains(UInt8(ascii: "/")),
            identifier.utf8.allSatisfy(isNameByte), !identifier.hasPrefix("SystemV/")
        else { return false }
        return TimeZone(identifier: identifier) != nil
    }

    /// The offset at the first second of `range` and each change of it within `range`, in ascending order.
    /// Cost: about 2 ms for five centuries, measured 2026-11 in a debug build; so ask once and keep the answer.
    /// - Precondition: `identifier` is one that ``contains(_:)`` accepts.
    static func transitions(of identifier: String, in range: Range<Int64>) -> [Transition] {
        guard let zone = TimeZone(identifier: identifier) else {
            preconditionFailure("time zone \(identifier) has left the database")
        }
        let offset = { (seconds: Int64) in
            Int32(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds))))
        }
        var found = [Transition(at: range.lowerBound, offset: offset(range.lowerBound))]
        var last = range.lowerBound
        while let date = zone.nextDaylightSavingTimeTransition(after: Date(timeIntervalSince1970: Double(last))) {
            let at = Int64(date.timeIntervalSince1970.rounded())
            guard at > last, at < range.upperBound else { break }
            // Some changes only rename the zone, or call the same offset standard time from then on.
            if offset(at) != found[found.count - 1].offset { found.append(Transition(at: at, offset: offset(at))) }
            last = at
        }
        return found
    }
}
