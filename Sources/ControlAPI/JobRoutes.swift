// Routes about jobs and their ticks.

import Dispatcher
import Foundation
import HTTP
import Model
import Scheduler
import Store

extension ControlDoor {
    var jobRoutes: [Route] {
        [
            Route("POST", "v1/jobs", "create a job") { [unowned self] in createJob($0) },
            Route("GET", "v1/jobs", "list jobs") { [unowned self] in listJobs($0) },
            Route("GET", "v1/jobs/*", "describe a job") { [unowned self] in describeJob($0) },
            Route("DELETE", "v1/jobs/*", "delete a job") { [unowned self] in deleteJob($0) },
            Route("POST", "v1/jobs/*/pause", "pause a job") { [unowned self] in pauseJob($0) },
            Route("POST", "v1/jobs/*/resume", "resume a job") { [unowned self] in resumeJob($0) },
            Route("POST", "v1/jobs/*/run", "run a job now") { [unowned self] in runJob($0) },
            Route("GET", "v1/jobs/*/ticks", "list a job's ticks, newest first") { [unowned self] in listTicks($0) },
        ]
    }
}

/// What a job is created from.
struct JobOrder: Decodable {
    let name, function: String
    let cron, every, at, timezone, missed: String?
    let input: JSONValue?
    let inputText: String?

    static let keys = ["name", "function", "cron", "every", "at", "timezone", "missed", "input", "inputText"]

    /// Reads the JSON of a create request.
    /// - Throws: ``Problem`` `bad-request` naming the key.
    static func parse(_ body: [UInt8]) throws(Problem) -> JobOrder {
        do {
            guard case .object(let members) = try JSONDecoder().decode(JSONValue.self, from: Foundation.Data(body))
            else {
                throw Problem(.badRequest, "the body must be a JSON object with: \(keys.joined(separator: ", "))")
            }
            if let unknown = members.keys.sorted().first(where: { !keys.contains($0) }) {
                throw Problem(.badRequest, "unknown key '\(unknown)'; known are: \(keys.joined(separator: ", "))")
            }
            return try JSONDecoder().decode(JobOrder.self, from: Foundation.Data(body))
        } catch let problem as Problem {
            throw problem
        } catch DecodingError.keyNotFound(let key, _) {
            throw Problem(.badRequest, "'\(key.stringValue)' is missing")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let key = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw Problem(.badRequest, "'\(key)' has the wrong type: a text is expected")
        } catch {
            throw Problem(.badRequest, "the body is not valid JSON")
        }
    }

    /// The job that it orders.
    /// - Throws: ``Problem``: `invalid-schedule` with the place and a hint, `bad-request` for the rest.
    func job(id: ExecutionID, now: WallTime) throws(Problem) -> Job {
        let jobName: JobName
        let reference: FunctionReference
        do throws(NameError) { jobName = try JobName(name) } catch {
            throw Problem(.badRequest, "name '\(name)': \(error)")
        }
        do throws(NameError) { reference = try FunctionReference(function) } catch {
            throw Problem(.badRequest, "function '\(function)': \(error)")
        }
        let bytes = try inputBytes()
        guard bytes.count <= Job.inputBytesMax else {
            throw Problem(
                .bodyTooLarge,
                "input has \(bytes.count) bytes, at most \(ByteCount(bytes: Job.inputBytesMax)) are allowed")
        }
        guard let policy = MissedPolicy(rawValue: missed ?? MissedPolicy.one.rawValue) else {
            let known = MissedPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(.badRequest, "missed must be one of \(known), not '\(missed ?? "")'")
        }
        return Job(
            id: id, name: jobName, function: reference, schedule: try schedule(), input: bytes, missed: policy,
            status: .active, createdAt: now, cursor: now)
    }

    private func inputBytes() throws(Problem) -> [UInt8] {
        if let inputText { return Array(inputText.utf8) }
        guard let input else { return [] }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(input)) } catch {
            throw Problem(.badRequest, "input can't be written as JSON")
        }
    }

    private func schedule() throws(Problem) -> Schedule {
        let zone = try zone()
        switch (cron, every, at) {
        case (let text?, nil, nil):
            do throws(CronError) {
                let expression = try CronExpression(text, seed: name)
                guard expression.next(after: WallTime(seconds: 0), in: Zone(expression.zone ?? zone)) != nil else {
                    throw CronError(position: 0, reason: "is never due", hint: "check day and month")
                }
                return .cron(expression, zone: zone)
            } catch {
                throw Problem(.invalidSchedule, "cron '\(text)', \(error)")
            }
        case (nil, let text?, nil):
            guard let period = DurationText.parse(text), period >= Schedule.periodMin else {
                throw Problem(
                    .invalidSchedule, "every '\(text)' must be a duration of at least 1s, such as 90s or 1h30m")
            }
            return .every(period)
        case (nil, nil, let text?):
            guard let instant = WallTime(iso8601: text) else {
                throw Problem(
                    .invalidSchedule,
                    "at '\(text)' must be an instant with its offset, such as 2026-12-01T09:00:00Z or …+01:00")
            }
            return .at(instant)
        default:
            throw Problem(.invalidSchedule, "give exactly one of cron, every and at")
        }
    }

    private func zone() throws(Problem) -> ZoneName {
        guard let timezone else { return .utc }
        do throws(ZoneError) { return try ZoneName(timezone) } catch {
            throw Problem(.invalidSchedule, "timezone \(error)")
        }
    }
}

extension ControlDoor {
    private func createJob(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.collectBody(max: Job.inputBytesMax * 2) { [unowned self] body in
            exchange.attempt { () throws(Problem) in
                let job = try JobOrder.parse(body).job(id: engine.makeID(), now: engine.now)
                _ = try engine.catalog.resolve(job.function)
                scheduler.create(job) { [unowned self] in answer(exchange, $0, status: 201) }
            }
        }
    }

    private func answer(_ exchange: Exchange, _ result: Result<Job, Problem>, status: Int = 200) {
        guard !exchange.isOver else { return }
        switch result {
        case .success(let job): view([job]) { exchange.answer($0.map { $0[0] }, status: status) { $0 } }
        case .failure(let problem): exchange.answer(problem)
        }
    }

    private func listJobs(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            try requireJobs()
            view(scheduler.jobs) { request.exchange.answer($0) { ["jobs": $0] } }
        }
    }

    /// For a moment after the start nobody knows which jobs there are; that must not read as none.
    private func requireJobs() throws(Problem) {
        guard scheduler.isLoaded else {
            throw Problem(
                .storeUnavailable, "the server has just started and is reading its jobs; try again shortly",
                retryAfterSeconds: 1)
        }
    }

    /// Jobs as they are shown: with the next due time and what became of the last one. The store reads what is asked
    /// for in one turn together, so many jobs cost it one step.
    private func view(_ jobs: [Job], then: @escaping (Result<[JobView], StoreError>) -> Void) {
        var lastTicks: [ExecutionID: Tick] = [:]
        var failure: StoreError?
        var left = jobs.count
        let finish = { [scheduler] in
            if let failure { return then(.failure(failure)) }
            then(.success(jobs.map { JobView($0, next: scheduler.nextDue(of: $0), lastTick: lastTicks[$0.id]) }))
        }
        guard !jobs.isEmpty else { return finish() }
        for job in jobs {
            store.ticks(of: job.id, limit: 1) { result in
                switch result {
                case .success(let ticks): lastTicks[job.id] = ticks.first
                case .failure(let error): failure = error
                }
                left -= 1
                if left == 0 { finish() }
            }
        }
    }

    private func describeJob(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            answer(request.exchange, .success(try job(request.words[0])))
        }
    }

    private func deleteJob(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            scheduler.delete(try job(request.words[0]).name) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success: exchange.answerNothing()
                case .failure(let problem): exchange.answer(problem)
                }
            }
        }
    }

    private func pauseJob(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            let name = try openJob(request.words[0]).name
            scheduler.pause(name) { [unowned self] in answer(request.exchange, $0) }
        }
    }

    private func resumeJob(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            let name = try openJob(request.words[0]).name
            scheduler.resume(name) { [unowned self] in answer(request.exchange, $0) }
        }
    }

    /// A job that may still fire.
    private func openJob(_ text: String) throws(Problem) -> Job {
        let job = try job(text)
        guard job.status != .done else {
            throw Problem(.inUse, "job '\(job.name)' is done; delete it and create it anew with another time")
        }
        return job
    }

    private func runJob(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            scheduler.runNow(try job(request.words[0]).name) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success(let id): exchange.answer(202, ["id": id.description])
                case .failure(let problem): exchange.answer(problem)
                }
            }
        }
    }

    private func listTicks(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let job = try job(request.words[0])
            let limit = try request.query.number("limit", in: 1...StoreLimit.pageRowsMax, else: 20)
            store.ticks(of: job.id, limit: limit) { result in
                exchange.answer(result) { ["ticks": $0.map { TickView($0) }] }
            }
        }
    }

    private func job(_ text: String) throws(Problem) -> Job {
        try requireJobs()
        guard let name = try? JobName(text), let job = scheduler.job(named: name) else {
            throw Problem(.jobNotFound, "there is no job '\(text)'; `taibai job list` lists those there are")
        }
        return job
    }
}
