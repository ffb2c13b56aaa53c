// Sizes, durations and instants.

import Model
import Testing

@Suite struct `Sizes` {
    @Test(arguments: [
        ("0B", 0), ("512B", 512), ("64KB", 64_000), ("1KiB", 1024), ("128MiB", 134_217_728), ("2GB", 2_000_000_000),
        ("1GiB", 1_073_741_824),
    ])
    func `a number with a unit is read`(text: String, bytes: Int) {
        #expect(ByteCount(text)?.bytes == bytes)
    }

    @Test(arguments: [
        "", "B", "128", "128 MiB", "-1B", "+1B", "1.5GiB", "128mib", "9999999999999999999B", "99999999999GiB",
    ])
    func `anything else is refused`(text: String) {
        #expect(ByteCount(text) == nil)
    }

    @Test(arguments: [
        (0, "0B"), (1536, "1536B"), (1024, "1KiB"), (134_217_728, "128MiB"), (1_073_741_824, "1GiB"),
        (1_073_741_825, "1073741825B"),
    ])
    func `the largest unit that divides is written`(bytes: Int, text: String) {
        #expect(ByteCount(bytes: bytes).description == text)
        #expect(ByteCount(text)?.bytes == bytes)
    }
}

@Suite struct `Durations` {
    @Test(arguments: [
        ("0s", 0), ("100ms", 100), ("30s", 30_000), ("5m", 300_000), ("1h30m", 5_400_000), ("2d", 172_800_000),
        ("1d2h3m4s5ms", 93_784_005),
    ])
    func `a sum of units is read and written`(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
        #expect(DurationText.format(.milliseconds(milliseconds)) == text)
    }

    @Test(arguments: ["", "30", "s", "1.5s", "-1s", "30m1h", "1s1s", "1 s", "1w", "30S", "999999999999999999d"])
    func `anything else is refused`(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test func `nanoseconds saturate at the ends`() {
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
        #expect(Duration.milliseconds(1500).nanoseconds == 1_500_000_000)
        #expect(Duration.milliseconds(-1).nanoseconds == -1_000_000)
        #expect(Duration.microseconds(1500).milliseconds == 1.5)
    }
}

@Suite struct `Instants` {
    @Test func `an instant too far ahead is the distant future`() {
        let near = Instant(nanoseconds: 5)
        #expect(near + .nanoseconds(3) == Instant(nanoseconds: 8))
        #expect(near + .seconds(Int64.max) == .distantFuture)
        #expect(Instant(nanoseconds: 8) - near == .nanoseconds(3))
    }

    @Test(arguments: [(0, 0), (999, 0), (1000, 1), (-1, -1), (-1000, -1), (-1001, -2)])
    func `whole seconds are rounded down`(milliseconds: Int64, seconds: Int64) {
        #expect(WallTime(milliseconds: milliseconds).seconds == seconds)
    }
}
