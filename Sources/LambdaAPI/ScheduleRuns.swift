// What a schedule runs: the function that its target names, with the event that it gives.

internal import ControlAPI
internal import Dispatcher
internal import Model
internal import WorkerPool

extension LambdaDoor {
    /// - Parameter due: the instant that the schedule told.
    func execution(of schedule: ScheduleResource, due: WallTime) -> PromisedExecution? {
        let id = engine.makeID()
        var arn = schedule.target.arn
        var input = schedule.target.input.map { Self.filled($0, schedule, due, id) }
        if arn == Self.universalTarget {
            guard let call = input.flatMap({ JSON.parse(Array($0.utf8)) }), let name = call["FunctionName"]?.text else {
                return nil
            }
            arn = name + (call["Qualifier"]?.text.map { ":\($0)" } ?? "")
            input = call["Payload"].map { $0.text ?? $0.written } ?? "{}"
        }
        guard let naming = try? FunctionNaming(arn, qualifier: nil, schedule.caller),
            let target = try? self.target(naming, schedule.caller, id)
        else { return nil }
        let body = input ?? Self.notice(schedule, due, id).written
        var fields = FieldList()
        fields.append(name: ":method", value: "POST".utf8)
        fields.append(name: ":path", value: "/".utf8)
        fields.append(name: ":function-arn", text: schedule.caller.arn(target.function.name, target.qualifier))
        fields.append(name: ":executed", text: target.executed)
        fields.append(name: "content-type", value: "application/json".utf8)
        var execution = promised(id: id, target, fields: fields, body: Array(body.utf8))
        if schedule.target.hasPolicy {
            if let retries = schedule.target.retries {
                execution.terms.retry.retries = min(retries, RetryPolicy.retriesRange.upperBound)
            }
            if let seconds = schedule.target.ageSeconds { execution.terms.retry.ageMax = .seconds(seconds) }
        }
        if let letter = schedule.target.deadLetter, let one = destination(letter, of: target.function) {
            execution.terms.onFailure = one
        }
        return execution
    }

    /// The words that AWS puts into inputs.
    private static func filled(
        _ input: String, _ schedule: ScheduleResource, _ due: WallTime, _ id: ExecutionID
    ) -> String {
        guard input.contains("<aws.scheduler.") else { return input }
        return input.replacing("<aws.scheduler.schedule-arn>", with: schedule.arn)
            .replacing("<aws.scheduler.scheduled-time>", with: due.iso8601)
            .replacing("<aws.scheduler.execution-id>", with: id.description)
            .replacing("<aws.scheduler.attempt-number>", with: "1")
    }

    /// The event of a schedule that gives none.
    private static func notice(_ schedule: ScheduleResource, _ due: WallTime, _ id: ExecutionID) -> JSON {
        [
            "version": .text("0"), "id": .text(id.description), "detail-type": .text("Scheduled Event"),
            "source": .text("aws.scheduler"), "account": .text(schedule.caller.account),
            "time": .text(due.iso8601), "region": .text(schedule.region), "resources": .texts([schedule.arn]),
            "detail": .text("{}"),
        ]
    }
}
