// Where the time went, as browsers and curl users can read it. Source: W3C Server Timing.

internal import Model

enum ServerTiming {
    /// Bytes it has at the most: 46 of labels, and four numbers of up to 20.
    static let sizeMax = 46 + 4 * 20

    /// Appends `queue;dur=0.041, start;dur=0, init;dur=0, run;dur=1.204`, in milliseconds. Run ends with the answer's
    /// head. Digit by digit: each answer carries it, and interpolated strings were a tenth of what an answer costs.
    static func append(_ cost: ExecutionCost, to bytes: inout OutputSpan<UInt8>) {
        append("queue;dur=", cost.queue, to: &bytes)
        append(", start;dur=", cost.start, to: &bytes)
        append(", init;dur=", cost.initialize, to: &bytes)
        append(", run;dur=", cost.run, to: &bytes)
    }

    /// Milliseconds with three decimals, or none for whole ones.
    private static func append(_ label: StaticString, _ duration: Duration, to bytes: inout OutputSpan<UInt8>) {
        bytes.append(copying: label)
        let micros = max(0, duration.nanoseconds / 1000)
        append(decimal: micros / 1000, to: &bytes)
        let rest = micros % 1000
        guard rest != 0 else { return }
        bytes.append(UInt8(ascii: "."))
        bytes.append(UInt8(ascii: "0") + UInt8(rest / 100))
        bytes.append(UInt8(ascii: "0") + UInt8(rest / 10 % 10))
        bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
    }

    private static func append(decimal value: Int64, to bytes: inout OutputSpan<UInt8>) {
        if value >= 10 { append(decimal: value / 10, to: &bytes) }
        bytes.append(UInt8(ascii: "0") + UInt8(value % 10))
    }
}
