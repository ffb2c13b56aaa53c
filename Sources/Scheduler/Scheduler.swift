public final class JobScheduler { public init() {} }
