// What was agreed on about an execution that nobody waits for: when it begins, how often it is tried, how old it may
// become, and who is told. Pure values; the Dispatcher acts on them, the Store keeps them.

/// When a promised execution that failed is tried again, and when it is given up.
public struct RetryPolicy: Hashable, Sendable {
    /// Further attempts after the first one that failed. 0 … 100, default 2 (AWS Lambda's for asynchronous calls).
    public var retries: Int
    /// The wait before the first of them; doubles with each failure. 1 ms … 1 h, default 1 min (Lambda's).
    public var delay: Duration
    /// Older than this it is given up, however many attempts are left. 1 s … 14 d, default 6 h (Lambda's).
    public var ageMax: Duration

    public static let retriesRange = 0...100
    public static let delayRange = Duration.milliseconds(1)...Duration.seconds(3600)
    public static let ageMaxRange = Duration.seconds(1)...Duration.seconds(14 * 86_400)
    /// The wait does not double beyond this: 1 h.
    public static let waitMax = Duration.seconds(3600)

    public init(retries: Int = 2, delay: Duration = .seconds(60), ageMax: Duration = .seconds(6 * 3600)) {
        self.retries = retries
        self.delay = delay
        self.ageMax = ageMax
    }

    /// What holds where nobody says otherwise. A job's next tick is its next try.
    public static func standard(for trigger: Trigger) -> RetryPolicy {
        if case .job = trigger { return RetryPolicy(retries: 0) }
        return RetryPolicy()
    }

    /// The wait after that many failures: the delay, doubled with each failure after the first, and a quarter more or
    /// less, so that what failed together does not come back together.
    /// - Parameter random: any number; all of them equally likely.
    public func wait(afterFailures failures: Int, random: UInt64) -> Duration {
        precondition(failures >= 1, "nothing has failed yet")
        var nominal = delay
        for _ in 1..<min(failures, 64) where nominal < Self.waitMax { nominal = nominal * 2 }
        nominal = min(nominal, Self.waitMax)
        // 24 bits are fine enough, and exact as a Double.
        let share = Int64(random >> 40)
        let spread = Double((nominal / 2).nanoseconds) * Double(share) / Double(1 << 24)
        return nominal * 3 / 4 + .nanoseconds(Int64(spread))
    }
}

/// Whom the end of an execution is told: a function, which gets the outcome as its event in an execution of its own.
public struct Destination: Hashable, Sendable, CustomStringConvertible {
    /// In which words it is told.
    public enum Form: String, Sendable, CaseIterable {
        /// Ours.
        case function
        /// AWS Lambda's record of an asynchronous invocation.
        case lambda = "lambda-function"
    }

    public let function: FunctionReference
    public let form: Form

    public init(_ function: FunctionReference, form: Form = .function) {
        self.function = function
        self.form = form
    }

    /// Reads `function:NAME`, with a version or an alias if need be.
    public init(_ text: String) throws(DestinationError) {
        let form = Form.allCases.first { text.hasPrefix("\($0.rawValue):") }
        guard let form else { throw DestinationError(text: text, reason: nil) }
        self.form = form
        do throws(NameError) {
            function = try FunctionReference(String(text.dropFirst(form.rawValue.count + 1)))
        } catch {
            throw DestinationError(text: text, reason: error)
        }
    }

    public var description: String { "\(form.rawValue):\(function)" }
}

/// A text that names no destination, and what would.
public struct DestinationError: Error, Equatable, CustomStringConvertible {
    /// Bytes of it that are shown.
    private static let shownMax = 80

    public let text: String
    public let reason: NameError?

    public var description: String {
        "expected function:NAME, not '\(text.prefix(Self.shownMax))'" + (reason.map { ": \($0)" } ?? "")
            + (text.hasPrefix("http") ? "; URLs can't be called yet, a function with egress can call one" : "")
    }
}

/// What was agreed on about one promised execution.
public struct PromiseTerms: Hashable, Sendable {
    public var retry: RetryPolicy
    /// A delayed start: nothing begins before, and the age counts from here.
    public var startsAt: WallTime?
    public var onSuccess: Destination?
    public var onFailure: Destination?
    /// How long its result is kept after its end, and its input after a failure. 0 … 7 d, default 24 h.
    public var resultKept: Duration
    /// Executions before it in a chain of callbacks.
    public var hops: Int

    public static let resultKeptRange = Duration.zero...Duration.seconds(7 * 86_400)
    public static let resultKeptDefault = Duration.seconds(86_400)
    /// A callback that would be the next one is not made: 16, as AWS Lambda bounds recursive calls.
    public static let hopsMax = 16
    /// How far in the future a delayed start may lie: 30 days.
    public static let delayMax = Duration.seconds(30 * 86_400)
    /// Characters of an `Idempotency-Key`.
    public static let keyLengthMax = 255
    /// How long a key stands for its execution: 24 h.
    public static let keyWindow = Duration.seconds(86_400)

    public init(
        retry: RetryPolicy = RetryPolicy(), onSuccess: Destination? = nil, onFailure: Destination? = nil,
        resultKept: Duration = PromiseTerms.resultKeptDefault, hops: Int = 0
    ) {
        self.retry = retry
        self.onSuccess = onSuccess
        self.onFailure = onFailure
        self.resultKept = resultKept
        self.hops = hops
    }

    /// Those of executions about which nobody has said anything.
    public static func standard(for trigger: Trigger) -> PromiseTerms {
        PromiseTerms(retry: .standard(for: trigger))
    }
}

/// What a function says about its promised executions; nil leaves it to the standard.
public struct PromiseSettings: Hashable, Sendable {
    public var retries: Int?
    public var retryDelay: Duration?
    public var ageMax: Duration?
    public var resultKept: Duration?
    public var onSuccess: Destination?
    public var onFailure: Destination?

    public init() {}

    /// The terms of an execution about which its caller has said nothing.
    public func terms(for trigger: Trigger) -> PromiseTerms {
        var terms = PromiseTerms.standard(for: trigger)
        if let retries { terms.retry.retries = retries }
        if let retryDelay { terms.retry.delay = retryDelay }
        if let ageMax { terms.retry.ageMax = ageMax }
        if let resultKept { terms.resultKept = resultKept }
        terms.onSuccess = onSuccess
        terms.onFailure = onFailure
        return terms
    }

    func check() throws(SettingError) {
        func require<Value: Comparable>(
            _ value: Value?, in range: ClosedRange<Value>, _ key: String, _ words: (Value) -> String
        ) throws(SettingError) {
            guard let value, !range.contains(value) else { return }
            throw SettingError(
                key: key,
                reason: "must be \(words(range.lowerBound)) to \(words(range.upperBound)), not \(words(value))")
        }
        try require(retries, in: RetryPolicy.retriesRange, "retries") { String($0) }
        try require(retryDelay, in: RetryPolicy.delayRange, "retryDelay", DurationText.format)
        try require(ageMax, in: RetryPolicy.ageMaxRange, "maxEventAge", DurationText.format)
        try require(resultKept, in: PromiseTerms.resultKeptRange, "keepResult", DurationText.format)
    }
}

/// How far a promised execution has come.
public struct PromiseStanding: Hashable, Sendable {
    /// Runs that have begun, those included that the end of a server cut off.
    public var attempts: Int
    /// Runs that have ended badly.
    public var failures: Int

    public init(attempts: Int = 0, failures: Int = 0) {
        self.attempts = attempts
        self.failures = failures
    }

    /// What becomes of an execution whose run has failed.
    public enum Verdict: Hashable, Sendable {
        case tryAgain(at: WallTime)
        /// Nobody asked for another attempt.
        case fail
        /// Attempts or age are used up: kept as a dead letter.
        case giveUp
    }

    /// Decides after a failure that ``failures`` counts already.
    /// - Parameter since: when it was to begin.
    public func verdict(_ policy: RetryPolicy, since: WallTime, now: WallTime, random: UInt64) -> Verdict {
        guard policy.retries > 0 else { return .fail }
        guard failures <= policy.retries else { return .giveUp }
        let again = now + policy.wait(afterFailures: failures, random: random)
        return again - since < policy.ageMax ? .tryAgain(at: again) : .giveUp
    }
}

extension ProblemCode {
    /// Whether another attempt of a promised execution may end better.
    public var isWorthAnotherAttempt: Bool {
        switch self {
        case .functionRaised, .responseTooLarge, .badResponse, .workerExited, .outOfMemory, .workerProtocol,
            .workerNotStarted, .secretUnavailable, .timedOut, .internalFault, .handlerNotLoadable:
            true
        default: false
        }
    }
}
