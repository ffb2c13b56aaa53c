// Jobs: a function, and when it is called.

internal import ControlAPI
internal import Dispatcher
internal import HTTP
internal import Model

extension QinlingDoor {
    var jobOperations: [Operation] {
        let create = [
            Field.name, .function, .alias, .version, .text("function_input", max: Job.inputBytesMax),
            .text("pattern"), .text("first_execution_time"), Field("count", .whole(1...Int(Int32.max))),
        ]
        let update = [
            Field.name, .text("function_input", max: Job.inputBytesMax), .text("status"), .text("pattern"),
            .text("next_execution_time"),
        ]
        let readOnly = ["id", "project_id", "created_at", "updated_at"]
        return [
            Operation(
                "createJob", "POST", "/v1/jobs",
                body: .json(argument: "job", create, readOnly: readOnly + ["status", "next_execution_time"]),
                status: 201, schema: "Job"
            ) { [unowned self] (request) throws(Fault) in try createJob(request) },
            Operation("listJobs", "GET", "/v1/jobs", query: ["all_projects", "project_id"], schema: "JobList") {
                [unowned self] (request) throws(Fault) in
                let isShown = try request.scope()
                let rows = registry.all(JobResource.self).filter { isShown($0.project) }.map(\.view)
                request.exchange.answer(200, try Page.answer("jobs", rows, request))
            },
            Operation("getJob", "GET", "/v1/jobs/{id}", schema: "Job") { [unowned self] (request) throws(Fault) in
                request.exchange.answer(200, try job(request).view)
            },
            Operation(
                "updateJob", "PUT", "/v1/jobs/{id}",
                body: .json(
                    argument: "job", update,
                    readOnly: readOnly + [
                        "function_id", "function_alias", "function_version", "count", "first_execution_time",
                    ]), schema: "Job"
            ) { [unowned self] (request) throws(Fault) in try updateJob(request) },
            Operation("deleteJob", "DELETE", "/v1/jobs/{id}", status: 204) {
                [unowned self] (request) throws(Fault) in
                var change = Registry.Change()
                change.delete(try job(request))
                commit(change, request) { [jobs] in
                    jobs.arm()
                    request.exchange.answerEmpty(204)
                }
            },
        ]
    }

    private func job(_ request: Request) throws(Fault) -> JobResource {
        let id = request.words[0]
        guard let job = registry.jobs[id], request.caller.isAdmin || job.project == request.caller.project else {
            throw .missing("Job", id)
        }
        return job
    }

    private func createJob(_ request: Request) throws(Fault) {
        let body = request.body
        guard body.has("function_alias") || body.has("function_id") else { throw Self.noFunction }
        let pattern = body.text("pattern").flatMap { $0.isEmpty ? nil : $0 }
        let firstText = body.text("first_execution_time").flatMap { $0.isEmpty ? nil : $0 }
        guard pattern != nil || firstText != nil else {
            throw .bad("pattern or first_execution_time must be specified.")
        }
        let wanted = try firstText.map { (text) throws(Fault) in try soonest(text) }
        guard pattern != nil || (body.whole("count") ?? 1) <= 1 else {
            throw .bad("pattern must be provided if count is greater than 1.")
        }
        let expression = try pattern.map { (text) throws(Fault) in try Pattern(text) }
        let input = try Input(body.text("function_input"), field: "function_input")
        let target = try target(body, in: request.caller.project)
        try requireRoom(in: registry.jobs, request.caller.project, "jobs")
        // Both: the first slot that is not before the time.
        let from = wanted.map { $0 + .seconds(-60) } ?? now
        guard let first = expression.map({ $0.next(after: from) }) ?? wanted else {
            throw .bad("The specified pattern is not valid: \(pattern?.prefix(80) ?? "")")
        }
        let job = JobResource(
            id: ResourceID.make(), project: request.caller.project, name: body.text("name"),
            function: target.alias == nil ? target.function.id : nil, alias: target.alias,
            version: target.alias == nil ? target.number : nil, input: input.shown, pattern: pattern,
            count: pattern == nil ? 1 : body.whole("count"), firstMilliseconds: first.milliseconds,
            nextMilliseconds: first.milliseconds, times: Times(now))
        var change = Registry.Change()
        try change.put(job)
        commit(change, request) { [jobs] in
            jobs.arm()
            request.exchange.answer(201, job.view)
        }
    }

    private func soonest(_ text: String) throws(Fault) -> WallTime {
        let time = try JobTime.parse(text)
        guard time >= now + JobTime.leadMin else {
            throw .bad("Execution time must be at least 1 minute in the future.")
        }
        return time
    }

    private func updateJob(_ request: Request) throws(Fault) {
        var job = try job(request)
        let body = request.body
        guard !job.isOver else { throw .bad("Can not update a finished job.") }
        if let pattern = body.text("pattern") {
            guard job.pattern != nil, !pattern.isEmpty else { throw .bad("Can not change job type.") }
            _ = try Pattern(pattern)
        }
        if let status = body.text("status"), !["running", "paused", "cancelled"].contains(status) {
            throw .bad("Invalid status.")
        }
        let wanted = try body.text("next_execution_time").map { (text) throws(Fault) in try soonest(text) }
        if let name = body.text("name") { job.name = name }
        if body.has("function_input") {
            job.input = try Input(body.text("function_input"), field: "function_input").shown
        }
        let resumes = job.status == "paused" && body.text("status") == "running"
        if resumes, job.pattern == nil, wanted == nil, let next = job.next, next < now + JobTime.leadMin {
            throw .bad("Execution time must be at least 1 minute in the future.")
        }
        if let pattern = body.text("pattern") { job.pattern = pattern }
        if let status = body.text("status") { job.status = status }
        if let wanted {
            let slot = try job.pattern.map { (text) throws(Fault) in
                try Pattern(text).next(after: wanted + .seconds(-60))
            }
            job.nextMilliseconds = (slot ?? wanted)?.milliseconds
        } else if let pattern = job.pattern, resumes || body.has("pattern") {
            job.nextMilliseconds = try Pattern(pattern).next(after: now)?.milliseconds
        }
        job.times.touch(now)
        let changed = job
        var change = Registry.Change()
        try change.put(changed)
        commit(change, request) { [jobs] in
            jobs.arm()
            request.exchange.answer(200, changed.view)
        }
    }
}
