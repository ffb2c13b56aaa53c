// The execution that a tick starts: what the function gets to see of it.

public import Model

/// An execution of a job, as it is written to the store and handed to the dispatcher.
public struct DueExecution: Sendable {
    public let id: ExecutionID
    public let tick: TickID
    public let job: JobName
    public let version: VersionKey
    /// Names and values for the function, as headers of the request.
    public let fields: [(name: String, value: String)]
    /// The job's input; a JSON object that tells about the tick when the job has none.
    public let body: [UInt8]
    /// When the tick fired.
    public let createdAt: WallTime

    public var trigger: Trigger { .job(job) }

    /// - Parameter reason: why it fires: `fired`, `late`, `caught-up`, or `run-now`.
    init(id: ExecutionID, job: Job, version: VersionKey, scheduledAt: WallTime, firedAt: WallTime, reason: String) {
        self.id = id
        tick = TickID(job: job.id, scheduledAt: scheduledAt)
        self.job = job.name
        self.version = version
        createdAt = firedAt
        // A clock set back between decision and instant would give a negative number, which nobody expects.
        let lateness = max(0, firedAt.milliseconds - scheduledAt.milliseconds)
        fields = [
            ("x-job", job.name.text), ("x-scheduled-at", scheduledAt.iso8601), ("x-fired-at", firedAt.iso8601),
            ("x-lateness-ms", String(lateness)), ("x-attempt", "1"), ("x-reason", reason),
            ("x-tick-id", tick.description), ("idempotency-key", tick.description),
        ]
        if job.input.isEmpty {
            // None of the values needs escaping: names, dates, numbers and ids are plain by construction.
            body = Array(
                """
                {"job":"\(job.name)","scheduledAt":"\(scheduledAt.iso8601)","firedAt":"\(firedAt.iso8601)",\
                "tickId":"\(tick)","latenessMs":\(lateness),"attempt":1,"reason":"\(reason)"}
                """.utf8)
        } else {
            body = job.input
        }
    }
}
