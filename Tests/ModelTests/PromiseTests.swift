// When a promised execution is tried again, and who is told of its end.

import Model
import Testing

@Suite struct `Retries` {
    @Test(arguments: [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (60, 3600), (1000, 3600)])
    func `wait twice as long each time, up to an hour, a quarter more or less`(failures: Int, seconds: Int) {
        let policy = RetryPolicy()
        let nominal = Duration.seconds(seconds)
        #expect(policy.wait(afterFailures: failures, random: 0) == nominal * 3 / 4)
        let latest = policy.wait(afterFailures: failures, random: .max)
        #expect(latest < nominal * 5 / 4 && latest > nominal * 124 / 100)
    }

    @Test func `are spread evenly`() {
        let policy = RetryPolicy(delay: .seconds(100))
        let waits = (0..<1000).map { policy.wait(afterFailures: 1, random: UInt64($0) << 54) }
        let mean = waits.reduce(Duration.zero, +) / 1000
        #expect(mean > .seconds(99) && mean < .seconds(101))
    }

    @Test func `end when attempts or age are used up`() {
        let policy = RetryPolicy(retries: 2, delay: .seconds(10), ageMax: .seconds(60))
        let start = WallTime(seconds: 1000)
        func verdict(_ failures: Int, after seconds: Int) -> PromiseStanding.Verdict {
            PromiseStanding(attempts: failures, failures: failures)
                .verdict(policy, since: start, now: start + .seconds(seconds), random: 1 << 63)
        }
        #expect(verdict(1, after: 0) == .tryAgain(at: start + .seconds(10)))
        #expect(verdict(2, after: 12) == .tryAgain(at: start + .seconds(32)))
        #expect(verdict(3, after: 33) == .giveUp)
        #expect(verdict(1, after: 49) == .tryAgain(at: start + .seconds(59)))
        #expect(verdict(1, after: 50) == .giveUp, "it would be too old by then")
    }

    @Test func `nobody asked for leave a plain failure`() {
        let start = WallTime(seconds: 0)
        let verdict = PromiseStanding(attempts: 1, failures: 1)
            .verdict(RetryPolicy(retries: 0), since: start, now: start, random: 0)
        #expect(verdict == .fail)
    }

    @Test func `are not for jobs, whose next tick is the next try`() throws {
        #expect(RetryPolicy.standard(for: .job(try JobName("nightly"))).retries == 0)
        #expect(RetryPolicy.standard(for: .async).retries == 2)
    }

    @Test func `that a function sets go before the standard`() {
        var settings = PromiseSettings()
        settings.retries = 7
        settings.ageMax = .seconds(5)
        let terms = settings.terms(for: .async)
        #expect(terms.retry == RetryPolicy(retries: 7, delay: .seconds(60), ageMax: .seconds(5)))
        #expect(terms.resultKept == .seconds(86_400))
    }

    @Test func `out of range are refused by name`() {
        var settings = FunctionSettings(name: catalogName("hello"), runtime: .python3, handler: "main.handler")
        settings.promise.retries = 101
        #expect(throws: SettingError(key: "retries", reason: "must be 0 to 100, not 101")) { try settings.check() }
        settings.promise.retries = nil
        settings.promise.retryDelay = .zero
        #expect(throws: SettingError(key: "retryDelay", reason: "must be 1ms to 1h, not 0s")) { try settings.check() }
    }

    private func catalogName(_ text: String) -> FunctionName {
        do { return try FunctionName(text) } catch { preconditionFailure("\(text): \(error)") }
    }
}

@Suite struct `Destinations` {
    @Test(arguments: ["function:hello", "function:hello:7", "function:hello@live"])
    func `are functions`(text: String) throws {
        #expect(try Destination(text).description == text)
    }

    @Test(arguments: ["", "hello", "function:", "function:Hello", "function:hello/x", "FUNCTION:hello", "ftp://x"])
    func `anything else is refused`(text: String) {
        #expect(throws: DestinationError.self) { try Destination(text) }
    }

    @Test func `a URL is refused with what can be done instead`() {
        let error = #expect(throws: DestinationError.self) { try Destination("http://example.com/") }
        #expect(error?.description.contains("a function with egress can call one") == true)
    }
}
