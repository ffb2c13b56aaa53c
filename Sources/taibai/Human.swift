// Times, spans and sizes as people read them, and the other way round nothing: programs get JSON.

import Glibc
import Model

/// Numbers in words, for tables.
enum Human {
    /// `0.42ms`, `3.1ms`, `120ms`, `1.24s`, `2m5s`; `-` for nil.
    static func milliseconds(_ value: Double?) -> String {
        guard let value else { return "-" }
        switch value {
        case ..<0.005: return "0"
        case ..<1: return fixed(value, decimals: 2) + "ms"
        case ..<9.95: return fixed(value, decimals: 1) + "ms"
        case ..<999.5: return fixed(value, decimals: 0) + "ms"
        case ..<59_995: return fixed(value / 1000, decimals: 2) + "s"
        default: return span(.milliseconds(Int64(min(value, 1e15))))
        }
    }

    /// `512 B`, `1.2 KiB`, `34 MiB`; `-` for nil.
    static func bytes(_ count: Int?) -> String {
        guard let count else { return "-" }
        guard count >= 1024 else { return "\(count) B" }
        var value = Double(count)
        var unit = ""
        for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
            value /= 1024
            unit = next
        }
        return fixed(value, decimals: value < 9.95 ? 1 : 0) + " " + unit
    }

    /// The two largest units, down to seconds: `45s`, `3m10s`, `2h`, `5d3h`.
    static func span(_ duration: Duration) -> String {
        var rest = max(0, duration.nanoseconds / 1_000_000_000)
        var parts: [String] = []
        for (unit, seconds) in [("d", Int64(86_400)), ("h", 3600), ("m", 60), ("s", 1)] {
            let count = rest / seconds
            rest %= seconds
            if count > 0 { parts.append("\(count)\(unit)") }
            // `2h` and not `2h15s`: a unit left out says that it is zero.
            if !parts.isEmpty, count == 0 || parts.count == 2 { break }
        }
        return parts.isEmpty ? "0s" : parts.joined()
    }

    /// `now`, `12s ago`, `in 42s`; `-` for nil. Clocks of client and server may differ by a moment, so what is less
    /// than a second away is now.
    static func distance(_ time: WallTime?, from now: WallTime) -> String {
        guard let time else { return "-" }
        let milliseconds = time.milliseconds - now.milliseconds
        switch milliseconds {
        case -999...999: return "now"
        case ..<0: return "\(span(.milliseconds(-milliseconds))) ago"
        default: return "in \(span(.milliseconds(milliseconds)))"
        }
    }

    /// `2026-11-23T15:00:00Z (12s ago)`.
    static func date(_ time: WallTime?, from now: WallTime) -> String? {
        time.map { "\($0.iso8601) (\(distance($0, from: now)))" }
    }

    /// The time of day on the clock of whoever looks: `15:04:05`, in the zone of TZ or of the machine.
    static func timeOfDay(_ time: WallTime?) -> String {
        guard let time else { return "-" }
        var seconds = time_t(time.seconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return [parts.tm_hour, parts.tm_min, parts.tm_sec].map { $0 < 10 ? "0\($0)" : String($0) }
            .joined(separator: ":")
    }

    /// `1 file`, `3 files`.
    static func count(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }

    /// Rounded half away from zero, with so many digits behind the point.
    static func fixed(_ value: Double, decimals: Int) -> String {
        let factor = [1.0, 10.0, 100.0][decimals]
        let scaled = Int((value * factor).rounded())
        guard decimals > 0 else { return String(scaled) }
        let digits = String(scaled % Int(factor))
        return "\(scaled / Int(factor))." + String(repeating: "0", count: decimals - digits.count) + digits
    }
}
