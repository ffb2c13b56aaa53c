// What one project may have and do. Reached before anything exists, and told with the limit's name.

/// The quotas of every project.
public struct Quotas: Sendable {
    /// Functions at once. 403.
    public var functions = 1000
    /// Executions begun within a minute. 429.
    public var executionsPerMinute = 60_000
    /// Bytes of `memory_size` of all functions together; default 64 GiB. 403.
    public var memory = ByteCount.mebibytes(64 << 10)
    /// Bytes of one package. 413.
    public var package = ByteCount.mebibytes(50)
    /// Runtimes, aliases, jobs and webhooks, each. 403.
    public var others = 10_000

    public init() {}

    /// Reads `functions=10`, as `taibai serve --quota` has it.
    /// - Returns: what is wrong with it, or nil.
    public mutating func set(_ text: String) -> String? {
        let words = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard words.count == 2 else { return "write NAME=VALUE, such as functions=100" }
        switch words[0] {
        case "functions", "executions-per-minute", "others":
            guard let number = Int(words[1]), number >= 0 else { return "\(words[0]) must be a whole number" }
            switch words[0] {
            case "functions": functions = number
            case "others": others = number
            default: executionsPerMinute = number
            }
        case "memory", "package":
            guard let size = ByteCount(words[1]) else { return "\(words[0]) must be a size, such as 512MiB" }
            if words[0] == "memory" { memory = size } else { package = size }
        default: return "'\(words[0])' is none of functions, executions-per-minute, memory, package, others"
        }
        return nil
    }
}
