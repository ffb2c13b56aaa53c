// Where the time went, as browsers and curl users can read it. Source: W3C Server Timing.

internal import Model

enum ServerTiming {
    /// `queue;dur=0.041, start;dur=0, init;dur=0, run;dur=1.204`, in milliseconds. Run ends with the answer's head.
    static func text(_ cost: ExecutionCost) -> String {
        "queue;dur=\(milliseconds(cost.queue)), start;dur=\(milliseconds(cost.start)), "
            + "init;dur=\(milliseconds(cost.initialize)), run;dur=\(milliseconds(cost.run))"
    }

    /// Milliseconds with three decimals, without Foundation's formatter.
    static func milliseconds(_ duration: Duration) -> String {
        let micros = max(0, duration.nanoseconds / 1000)
        guard micros % 1000 != 0 else { return String(micros / 1000) }
        let fraction = String(micros % 1000)
        return "\(micros / 1000)." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
    }
}
