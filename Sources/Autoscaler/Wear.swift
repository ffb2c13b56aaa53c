// When a worker has served long enough and another takes its place, before it becomes a nuisance.

public import Model

/// What a worker has been through.
public struct Wear: Hashable, Sendable {
    /// Executions it has ended.
    public var uses = 0
    /// Since it was ordered.
    public var age = Duration.zero
    /// Peak of its memory after its first execution, and up to now; nil while not told.
    public var memoryFirst: ByteCount?
    public var memoryPeak: ByteCount?

    public init() {}
}

/// Why a worker is replaced.
public enum WearReason: String, Hashable, Sendable {
    case uses = "max-uses"
    case age = "max-age"
    case memory = "memory-growth"
}

/// What a worker may go through.
public struct WearLimits: Hashable, Sendable {
    public var uses: Int?
    public var age: Duration?
    public var memory: ByteCount

    public init(uses: Int?, age: Duration?, memory: ByteCount) {
        self.uses = uses
        self.age = age
        self.memory = memory
    }

    /// The share of its memory at which a worker that keeps growing is replaced: before the kernel kills it in the
    /// middle of an execution.
    public static let memoryShare = 0.8
    /// A leak shows over time: before so many executions growth is a cache that fills.
    public static let usesBeforeGrowth = 16
    /// Growth by less than a quarter since the first execution is none: such a function simply needs that much.
    public static let growthMin = 1.25

    /// Why a worker of this wear is to be replaced; nil: it goes on.
    public func exceeded(by wear: Wear) -> WearReason? {
        if let uses, wear.uses >= uses { return .uses }
        if let age, wear.age >= age { return .age }
        guard wear.uses >= Self.usesBeforeGrowth, let first = wear.memoryFirst, let peak = wear.memoryPeak else {
            return nil
        }
        let isNearLimit = Double(peak.bytes) >= Double(memory.bytes) * Self.memoryShare
        return isNearLimit && Double(peak.bytes) >= Double(first.bytes) * Self.growthMin ? .memory : nil
    }
}
