// EventBridge Scheduler: schedules that call functions, and their groups.

internal import ControlAPI
internal import Dispatcher
internal import HTTP
internal import Model
internal import WorkerPool

extension LambdaDoor {
    var scheduleOperations: [Operation] {
        let path = "/schedules/{name}"
        return [
            Operation("CreateSchedule", "POST", path) { [unowned self] (request) throws(Fault) in
                try createSchedule(request)
            },
            Operation("UpdateSchedule", "PUT", path) { [unowned self] (request) throws(Fault) in
                try updateSchedule(request)
            },
            Operation("GetSchedule", "GET", path) { [unowned self] (request) throws(Fault) in
                request.answer(200, Self.view(try schedule(request)))
            },
            Operation("DeleteSchedule", "DELETE", path) { [unowned self] (request) throws(Fault) in
                registry.remove(try schedule(request)) { [unowned self] fault in
                    if let fault { return request.answer(fault) }
                    clock.arm()
                    request.answer(200, .empty)
                }
            },
            Operation("ListSchedules", "GET", "/schedules") { [unowned self] (request) throws(Fault) in
                try listSchedules(request)
            },
        ] + groupOperations
    }

    static func checkedScheduleName(_ text: String, as field: String) throws(Fault) -> String {
        let isName = text.utf8.allSatisfy { Ascii.isName($0) || $0 == UInt8(ascii: ".") }
        guard (1...64).contains(text.utf8.count), isName else {
            throw .constraint(field, text, "satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$")
        }
        return text
    }

    private func schedule(_ request: Request) throws(Fault) -> ScheduleResource {
        let name = try Self.checkedScheduleName(request.words[0], as: "name")
        let group = request.query("groupName") ?? ScheduleResource.defaultGroup
        try requireGroup(group, request.caller)
        guard let found = registry.schedules[ScheduleResource.key(request.caller.project, group, name)] else {
            throw .missing("Schedule \(name) does not exist.")
        }
        return found
    }

    private func createSchedule(_ request: Request) throws(Fault) {
        let body = try request.body()
        let name = try Self.checkedScheduleName(request.words[0], as: "name")
        let group = try body.text("GroupName") ?? ScheduleResource.defaultGroup
        try requireGroup(group, request.caller)
        let key = ScheduleResource.key(request.caller.project, group, name)
        if let there = registry.schedules[key] {
            // The same request once more, by a client that did not see the answer.
            if let token = try body.text("ClientToken"), token == there.clientToken {
                return request.answer(200, ["ScheduleArn": .text(there.arn)])
            }
            throw Fault(409, "ConflictException", "Schedule \(name) already exists.")
        }
        guard registry.schedules.values.filter({ $0.project == request.caller.project }).count < quotas.others else {
            throw Fault(
                402, "ServiceQuotaExceededException",
                "The project has \(quotas.others) schedules, the most it may have (quota others).")
        }
        let schedule = ScheduleResource(
            project: request.caller.project, region: request.caller.region, group: group, name: name, expression: "",
            target: ScheduleTarget(arn: "", role: ""), createdMilliseconds: now.milliseconds,
            modifiedMilliseconds: now.milliseconds)
        try keep(try taken(body, schedule, isNew: true), request)
    }

    private func updateSchedule(_ request: Request) throws(Fault) {
        let body = try request.body()
        let name = try Self.checkedScheduleName(request.words[0], as: "name")
        let group = try body.text("GroupName") ?? ScheduleResource.defaultGroup
        guard let old = registry.schedules[ScheduleResource.key(request.caller.project, group, name)] else {
            throw .missing("Schedule \(name) does not exist.")
        }
        // All that the request leaves out has its default again, as at AWS.
        let schedule = ScheduleResource(
            project: old.project, region: old.region, group: group, name: name, expression: "",
            target: ScheduleTarget(arn: "", role: ""), createdMilliseconds: old.createdMilliseconds,
            modifiedMilliseconds: now.milliseconds)
        try keep(try taken(body, schedule, isNew: false), request)
    }

    private func keep(_ schedule: ScheduleResource, _ request: Request) throws(Fault) {
        try registry.put(schedule) { [unowned self] fault in
            if let fault { return request.answer(fault) }
            clock.arm()
            request.answer(200, ["ScheduleArn": .text(schedule.arn)])
        }
    }

    private static func milliseconds(_ body: Body, _ name: String) throws(Fault) -> Int64? {
        guard let value = body.value(name) else { return nil }
        if case .number(let text) = value, let seconds = Double(text), abs(seconds) < 1e12 {
            return Int64(seconds * 1000)
        }
        guard let text = value.text, let time = WallTime(iso8601: text) else {
            throw .serialization("\(name) is no timestamp.")
        }
        return time.milliseconds
    }

    private func taken(
        _ body: Body, _ schedule: ScheduleResource, isNew: Bool
    ) throws(Fault) -> ScheduleResource {
        var schedule = schedule
        guard let expression = try body.text("ScheduleExpression") else {
            throw Self.missingMember("scheduleExpression")
        }
        guard ScheduleExpression(expression) != nil else {
            throw Fault(400, "ValidationException", "Invalid Schedule Expression \(expression.prefix(Fault.shownMax)).")
        }
        schedule.expression = expression
        if let zone = try body.text("ScheduleExpressionTimezone") {
            guard (try? ZoneName(zone)) != nil else {
                throw Fault(
                    400, "ValidationException", "The ScheduleExpressionTimezone \(zone.prefix(60)) is not valid.")
            }
            schedule.zone = zone
        }
        schedule.startMilliseconds = try Self.milliseconds(body, "StartDate")
        schedule.endMilliseconds = try Self.milliseconds(body, "EndDate")
        if let start = schedule.startMilliseconds, let end = schedule.endMilliseconds, end < start {
            throw Fault(400, "ValidationException", "The StartDate you specify must come before the EndDate.")
        }
        if let end = schedule.endMilliseconds, end < now.milliseconds {
            throw Fault(400, "ValidationException", "The EndDate you specify must not be in the past.")
        }
        schedule.isEnabled = try body.word("State", of: ["ENABLED", "DISABLED"], as: "state") != "DISABLED"
        schedule.deletesItself =
            try body.word("ActionAfterCompletion", of: ["NONE", "DELETE"], as: "actionAfterCompletion") == "DELETE"
        schedule.description = try body.text("Description", upTo: 512, as: "description")
        schedule.kmsKey = try body.text("KmsKeyArn")
        schedule.clientToken = try body.text("ClientToken", upTo: 64, as: "clientToken")
        schedule.windowMinutes = try Self.window(body)
        schedule.target = try target(body, schedule.caller)
        return first(schedule, isNew: isNew)
    }

    /// The schedule with its first instant. One that says nothing of a start begins with the present.
    private func first(_ schedule: ScheduleResource, isNew: Bool) -> ScheduleResource {
        let isRate = if case .rate = ScheduleExpression(schedule.expression) { true } else { false }
        // The present itself is the first of a new rate.
        let from = isNew && isRate ? WallTime(milliseconds: now.milliseconds - 1) : now
        return clock.advanced(schedule, after: from)
    }

    private static func window(_ body: Body) throws(Fault) -> Int? {
        guard let window = try body.object("FlexibleTimeWindow") else { throw missingMember("flexibleTimeWindow") }
        let mode = try window.word("Mode", of: ["OFF", "FLEXIBLE"], as: "flexibleTimeWindow.mode")
        let minutes = try window.whole(
            "MaximumWindowInMinutes", in: 1...1440, as: "flexibleTimeWindow.maximumWindowInMinutes")
        switch (mode, minutes) {
        case (nil, _): throw missingMember("flexibleTimeWindow.mode")
        case ("OFF", nil): return nil
        case ("OFF", _):
            throw Fault(400, "ValidationException", "MaximumWindowInMinutes must not be set when the mode is OFF.")
        case (_, nil):
            throw Fault(400, "ValidationException", "MaximumWindowInMinutes must be set when the mode is FLEXIBLE.")
        case (_, let minutes?): return minutes
        }
    }

    private func target(_ body: Body, _ caller: Caller) throws(Fault) -> ScheduleTarget {
        guard let given = try body.object("Target") else { throw Self.missingMember("target") }
        guard let arn = try given.text("Arn", upTo: 1600, as: "target.arn") else {
            throw Self.missingMember("target.arn")
        }
        guard let role = try given.text("RoleArn", upTo: 1600, as: "target.roleArn") else {
            throw Self.missingMember("target.roleArn")
        }
        var target = ScheduleTarget(arn: arn, role: role)
        guard Self.isFunction(arn) || arn == Self.universalTarget else {
            throw Fault(
                400, "ValidationException",
                "Provided Arn '\(arn.prefix(Fault.shownMax))' is no function: this server's schedules call "
                    + "functions only."
            )
        }
        target.input = try given.text("Input", upTo: 256 << 10, as: "target.input")
        if let input = target.input, JSON.parse(Array(input.utf8)) == nil {
            throw Fault(400, "ValidationException", "The Input of a function must be JSON.")
        }
        if let policy = try given.object("RetryPolicy") {
            target.hasPolicy = true
            target.ageSeconds = try policy.whole(
                "MaximumEventAgeInSeconds", in: 60...86_400, as: "target.retryPolicy.maximumEventAgeInSeconds")
            target.retries = try policy.whole(
                "MaximumRetryAttempts", in: 0...185, as: "target.retryPolicy.maximumRetryAttempts")
        }
        if let letter = try given.object("DeadLetterConfig")?.text("Arn"), !letter.isEmpty {
            guard Self.isFunction(letter) else {
                throw Fault(
                    400, "ValidationException",
                    "The DeadLetterConfig '\(letter.prefix(Fault.shownMax))' is no function: this server has no "
                        + "queues, and tells functions of failures.")
            }
            target.deadLetter = letter
        }
        return target
    }

    static let universalTarget = "arn:aws:scheduler:::aws-sdk:lambda:invoke"

    private static func isFunction(_ arn: String) -> Bool {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
        return (7...8).contains(parts.count) && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function"
            && FunctionNaming.isName(String(parts[6]))
    }

    // Views.

    private static func view(_ schedule: ScheduleResource) -> JSON {
        var members = Members()
        members.set("Arn", text: schedule.arn)
        members.set("GroupName", text: schedule.group)
        members.set("Name", text: schedule.name)
        members.set("ScheduleExpression", text: schedule.expression)
        members.set("ScheduleExpressionTimezone", text: schedule.zone)
        members.set("StartDate", schedule.startMilliseconds.map { WallTime(milliseconds: $0).epoch })
        members.set("EndDate", schedule.endMilliseconds.map { WallTime(milliseconds: $0).epoch })
        members.set("Description", text: schedule.description)
        members.set("State", text: schedule.isEnabled ? "ENABLED" : "DISABLED")
        members.set("KmsKeyArn", text: schedule.kmsKey)
        members.set("ActionAfterCompletion", text: schedule.deletesItself ? "DELETE" : "NONE")
        var window = Members()
        window.set("Mode", text: schedule.windowMinutes == nil ? "OFF" : "FLEXIBLE")
        window.set("MaximumWindowInMinutes", whole: schedule.windowMinutes)
        members.set("FlexibleTimeWindow", window.json)
        var target = Members()
        target.set("Arn", text: schedule.target.arn)
        target.set("RoleArn", text: schedule.target.role)
        target.set("Input", text: schedule.target.input)
        // AWS's defaults, which say how often an event is handed to a function, not how often that is run.
        target.set(
            "RetryPolicy",
            [
                "MaximumEventAgeInSeconds": .whole(schedule.target.ageSeconds ?? 86_400),
                "MaximumRetryAttempts": .whole(schedule.target.retries ?? 185),
            ])
        if let letter = schedule.target.deadLetter { target.set("DeadLetterConfig", ["Arn": .text(letter)]) }
        members.set("Target", target.json)
        members.set("CreationDate", WallTime(milliseconds: schedule.createdMilliseconds).epoch)
        members.set("LastModificationDate", WallTime(milliseconds: schedule.modifiedMilliseconds).epoch)
        return members.json
    }

    private func listSchedules(_ request: Request) throws(Fault) {
        let group = request.query("ScheduleGroup")
        if let group { try requireGroup(group, request.caller) }
        let prefix = request.query("NamePrefix") ?? ""
        let state = request.query("State")
        let rows = registry.schedules.values.filter {
            $0.project == request.caller.project && $0.group == group ?? $0.group && $0.name.hasPrefix(prefix)
                && (state == nil || ($0.isEnabled ? "ENABLED" : "DISABLED") == state)
        }.sorted { $0.key < $1.key }
        let page = try Page.of(
            rows, key: \.key, marker: request.query("NextToken"), max: request.query("MaxResults"), limit: 100,
            limitMax: 100)
        var members = Members()
        members.set(
            "Schedules",
            .list(
                page.items.map { schedule in
                    [
                        "Arn": .text(schedule.arn), "GroupName": .text(schedule.group), "Name": .text(schedule.name),
                        "State": .text(schedule.isEnabled ? "ENABLED" : "DISABLED"),
                        "Target": ["Arn": .text(schedule.target.arn)],
                        "CreationDate": WallTime(milliseconds: schedule.createdMilliseconds).epoch,
                        "LastModificationDate": WallTime(milliseconds: schedule.modifiedMilliseconds).epoch,
                    ] as JSON
                }))
        members.set("NextToken", text: page.next)
        request.answer(200, members.json)
    }
}
