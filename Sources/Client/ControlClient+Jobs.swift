// Calls about jobs.

public import Model

extension ControlClient {
    /// All jobs, by name.
    public func jobs() throws(ClientError) -> [RemoteJob] {
        try fetchList("/v1/jobs", "jobs").map(RemoteJob.init)
    }

    /// - Parameter description: `{"name", "function", "cron" or "every" or "at", …}`.
    public func createJob(_ description: JSON) throws(ClientError) -> RemoteJob {
        var request = Request(method: "POST", target: "/v1/jobs")
        request.headers.append(("Content-Type", "application/json"))
        request.body = .bytes(Array(description.description.utf8))
        return RemoteJob(json: try fetch(request))
    }

    /// One job.
    public func job(_ name: JobName) throws(ClientError) -> RemoteJob {
        RemoteJob(json: try fetch(Request(target: "/v1/jobs/\(name)")))
    }

    /// Deletes a job; its executions and their records stay.
    public func deleteJob(_ name: JobName) throws(ClientError) {
        _ = try fetch(Request(method: "DELETE", target: "/v1/jobs/\(name)"))
    }

    /// Stops the schedule until ``resumeJob(_:)``.
    public func pauseJob(_ name: JobName) throws(ClientError) -> RemoteJob {
        RemoteJob(json: try fetch(Request(method: "POST", target: "/v1/jobs/\(name)/pause")))
    }

    /// Takes the schedule up again.
    public func resumeJob(_ name: JobName) throws(ClientError) -> RemoteJob {
        RemoteJob(json: try fetch(Request(method: "POST", target: "/v1/jobs/\(name)/resume")))
    }

    /// Calls the job's function now; gives `{"id"}` of the execution.
    public func runJob(_ name: JobName) throws(ClientError) -> JSON {
        try fetch(Request(method: "POST", target: "/v1/jobs/\(name)/run"))
    }

    /// Newest first.
    public func ticks(of name: JobName, limit: Int) throws(ClientError) -> [RemoteTick] {
        try fetchList("/v1/jobs/\(name)/ticks?limit=\(limit)", "ticks").map(RemoteTick.init)
    }
}
